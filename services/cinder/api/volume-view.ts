/** A volume as it stands on the wire, by version and by what the caller may see. */
import { isoMicros } from '#base/clock.ts'
import type { Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Cinder } from '../house.ts'
import { attachmentsOf } from '../store/attachments.ts'
import type { AttachmentRow, TypeRow, VolumeRow } from '../store/tables.ts'
import { typesByIds } from '../store/types.ts'
import { targetOf } from './load.ts'

type Viewer = Pick<Rq, 'context' | 'version' | 'base' | 'allows'>
type Wire = Record<string, unknown>

export const stamp = (ms: number | null): string | null => (ms === null ? null : isoMicros(ms))

export function linksOf(rq: Viewer, many: string, id: string): { rel: string; href: string }[] {
  const project = rq.context.project_id ?? ''
  return [
    { rel: 'self', href: `${rq.base}/v3/${project}/${many}/${id}` },
    { rel: 'bookmark', href: `${rq.base}/${project}/${many}/${id}` },
  ]
}

export function volumeSummary(rq: Viewer, row: VolumeRow): Wire {
  return { id: row.id, name: row.name, links: linksOf(rq, 'volumes', row.id) }
}

/** What a create or an update answers with. */
export function volumeView(rq: Viewer, row: VolumeRow, type: TypeRow | undefined, attachments: readonly AttachmentRow[]): Wire {
  const { version } = rq
  return {
    id: row.id,
    status: row.status,
    size: row.size,
    availability_zone: row.availability_zone,
    created_at: stamp(row.created_at),
    updated_at: stamp(row.updated_at),
    name: row.name,
    description: row.description,
    volume_type: type?.name ?? null,
    ...(version >= v('3.63') ? { volume_type_id: row.volume_type_id } : {}),
    snapshot_id: row.snapshot_id,
    source_volid: row.source_volid,
    metadata: visibleMetadata(row),
    links: linksOf(rq, 'volumes', row.id),
    user_id: row.user_id,
    bootable: row.bootable === 1 ? 'true' : 'false',
    encrypted: row.encryption_key_id !== null,
    ...(version >= v('3.64') && row.encryption_key_id !== null ? { encryption_key_id: row.encryption_key_id } : {}),
    replication_status: row.replication_status,
    consistencygroup_id: null,
    multiattach: row.multiattach === 1,
    attachments: attachments.filter((one) => one.attach_status === 'attached').map(attachmentInVolume),
    migration_status: row.migration_status,
    ...(version >= v('3.13') ? { group_id: row.group_id } : {}),
    ...(version >= v('3.21') && rq.allows('context_is_admin', {}) ? { provider_id: null } : {}),
    ...(version >= v('3.48') ? { shared_targets: false, service_uuid: null } : {}),
    ...(version >= v('3.61') && rq.allows('context_is_admin', {}) ? { cluster_name: null } : {}),
    ...(version >= v('3.65') ? { consumes_quota: row.consumes_quota === 1 } : {}),
  }
}

/** What a show and a detailed list answer with. */
export function volumeDetail(rq: Viewer, row: VolumeRow, type: TypeRow | undefined, attachments: readonly AttachmentRow[]): Wire {
  const target = targetOf(row)
  const wire = volumeView(rq, row, type, attachments)
  if (rq.allows('volume_extension:volume_tenant_attribute', target)) wire['os-vol-tenant-attr:tenant_id'] = row.project_id
  if (rq.allows('volume_extension:volume_mig_status_attribute', target)) {
    wire['os-vol-mig-status-attr:migstat'] = row.migration_status
    wire['os-vol-mig-status-attr:name_id'] = null
  }
  if (rq.allows('volume_extension:volume_host_attribute', target)) wire['os-vol-host-attr:host'] = row.host
  if (row.image_metadata !== null && rq.allows('volume_extension:volume_image_metadata:show', target)) wire.volume_image_metadata = JSON.parse(row.image_metadata) as unknown
  return wire
}

/** `readonly` is Cinder's own and shown among the user's. */
function visibleMetadata(row: VolumeRow): Wire {
  const metadata = JSON.parse(row.metadata) as Wire
  return row.readonly === null ? metadata : { ...metadata, readonly: row.readonly === 1 ? 'True' : 'False' }
}

function attachmentInVolume(row: AttachmentRow): Wire {
  return {
    id: row.volume_id,
    attachment_id: row.id,
    volume_id: row.volume_id,
    server_id: row.instance_uuid,
    host_name: row.attached_host,
    device: row.mountpoint,
    attached_at: stamp(row.attach_time),
  }
}

/** Views of many with one query for the types and one for the attachments. */
export async function volumeDetails(house: Cinder, rq: Viewer, rows: readonly VolumeRow[], view: typeof volumeDetail = volumeDetail): Promise<Wire[]> {
  const typeIds = [...new Set(rows.flatMap((row) => row.volume_type_id ?? []))]
  const types = new Map((await typesByIds(house.db, typeIds)).map((type) => [type.id, type]))
  const held = rows.filter((row) => row.attach_status !== 'detached').map((row) => row.id)
  const attachments = Map.groupBy(await attachmentsOf(house.db, held), (one) => one.volume_id)
  return rows.map((row) => view(rq, row, types.get(row.volume_type_id ?? ''), attachments.get(row.id) ?? []))
}
