/** Block devices of servers, the attached volumes among them. */
import { rowsBy } from '#base/sql/prepared.ts'
import type { NovaSql } from './servers.ts'
import type { BlockDeviceRow } from './tables.ts'

export async function insertBlockDevices(sql: NovaSql, rows: readonly BlockDeviceRow[]): Promise<void> {
  if (rows.length > 0) await sql.query.insertInto('nova_block_devices').values([...rows]).execute()
}

export async function blockDevicesOf(sql: NovaSql, serverId: string): Promise<BlockDeviceRow[]> {
  return rowsBy<BlockDeviceRow>(sql as never, 'nova_block_devices', { server_id: serverId }, ['created_at', 'id'])
}

export async function blockDevicesOfMany(sql: NovaSql, serverIds: readonly string[]): Promise<Map<string, BlockDeviceRow[]>> {
  const found = new Map<string, BlockDeviceRow[]>()
  if (serverIds.length === 0) return found
  const rows = serverIds.length === 1 ? await blockDevicesOf(sql, serverIds[0]!) : await sql.query.selectFrom('nova_block_devices').selectAll().where('server_id', 'in', serverIds).orderBy('created_at').orderBy('id').execute()
  for (const row of rows) {
    const devices = found.get(row.server_id)
    if (devices) devices.push(row)
    else found.set(row.server_id, [row])
  }
  return found
}

/** Volumes of servers on a host that were to be attached in this span and have no connection. */
export async function unconnectedDevices(sql: NovaSql, since: number, before: number): Promise<BlockDeviceRow[]> {
  return sql.query
    .selectFrom('nova_block_devices')
    .innerJoin('nova_servers', 'nova_servers.id', 'nova_block_devices.server_id')
    .selectAll('nova_block_devices')
    .where('nova_block_devices.created_at', '>=', since)
    .where('nova_block_devices.created_at', '<=', before)
    .where('nova_block_devices.destination_type', '=', 'volume')
    .where('nova_block_devices.boot_index', '<', 0)
    .where('nova_block_devices.volume_id', 'is not', null)
    .where('nova_block_devices.connection_info', 'is', null)
    .where('nova_servers.deleted', '=', 0)
    .where('nova_servers.host_id', 'is not', null)
    .where('nova_servers.task_state', 'is', null)
    .where('nova_servers.vm_state', 'not in', ['error', 'building', 'shelved_offloaded'])
    .limit(100)
    .execute()
}

export async function blockDeviceById(sql: NovaSql, id: string): Promise<BlockDeviceRow | undefined> {
  return (await rowsBy<BlockDeviceRow>(sql as never, 'nova_block_devices', { id }))[0]
}

export async function blockDevicesOfVolume(sql: NovaSql, volumeId: string): Promise<BlockDeviceRow[]> {
  return sql.query.selectFrom('nova_block_devices').selectAll().where('volume_id', '=', volumeId).execute()
}

export async function patchBlockDevice(sql: NovaSql, id: string, patch: Partial<BlockDeviceRow>): Promise<boolean> {
  return (await sql.query.updateTable('nova_block_devices').set(patch).where('id', '=', id).executeTakeFirst()).numUpdatedRows === 1n
}

export async function deleteBlockDevice(sql: NovaSql, id: string): Promise<void> {
  await sql.query.deleteFrom('nova_block_devices').where('id', '=', id).execute()
}

export async function deleteBlockDevicesOf(sql: NovaSql, serverId: string): Promise<void> {
  await sql.query.deleteFrom('nova_block_devices').where('server_id', '=', serverId).execute()
}
