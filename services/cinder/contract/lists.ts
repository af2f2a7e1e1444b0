/** What lists filter and sort by. */
import { boolean, type Field, integer, text } from '#stack/resource/field.ts'
import type { Resource } from '#stack/resource/resource.ts'

/** ISO 8601 as milliseconds; without a zone it is UTC, as Cinder writes it. */
function instant(given: string): number | undefined {
  const ms = Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(given) ? given : `${given}Z`)
  return Number.isNaN(ms) ? undefined : ms
}

const when = (): Field => ({ ...integer(), parse: instant })
const common = { id: text(), name: text({}, { alias: 'display_name' }), description: text({}, { alias: 'display_description' }), status: text(), project_id: text(), user_id: text(), created_at: when(), updated_at: when() }

export const volumeList: Resource = {
  one: 'volume',
  many: 'volumes',
  path: '/volumes',
  table: 'cinder_volumes',
  fields: {
    ...common,
    size: integer(),
    availability_zone: text(),
    bootable: boolean(),
    multiattach: boolean(),
    migration_status: text(),
    attach_status: text(),
    host: text(),
    volume_type_id: text(),
    snapshot_id: text(),
    source_volid: text(),
    group_id: text(),
    replication_status: text(),
    consumes_quota: boolean(),
  },
}

export const snapshotList: Resource = {
  one: 'snapshot',
  many: 'snapshots',
  path: '/snapshots',
  table: 'cinder_snapshots',
  fields: { ...common, volume_id: text(), volume_size: integer({}, { alias: 'size' }), group_snapshot_id: text(), consumes_quota: boolean() },
}

export const attachmentList: Resource = {
  one: 'attachment',
  many: 'attachments',
  path: '/attachments',
  table: 'cinder_attachments',
  fields: { id: text(), volume_id: text(), project_id: text(), instance_uuid: text({}, { alias: 'instance_id' }), attach_status: text(), attached_host: text(), created_at: when() },
}

export const typeList: Resource = {
  one: 'volume_type',
  many: 'volume_types',
  path: '/types',
  table: 'cinder_types',
  fields: { id: text(), name: text(), description: text(), is_public: boolean({ filter: false }), created_at: when(), updated_at: when() },
}

export const qosList: Resource = { one: 'qos_specs', many: 'qos_specs', path: '/qos-specs', table: 'cinder_qos', fields: { id: text(), name: text(), consumer: text(), created_at: when() } }

export const transferList: Resource = {
  one: 'transfer',
  many: 'transfers',
  path: '/volume-transfers',
  table: 'cinder_transfers',
  fields: { id: text(), name: text({}, { alias: 'display_name' }), volume_id: text(), source_project_id: text(), created_at: when() },
}

export const backupList: Resource = {
  one: 'backup',
  many: 'backups',
  path: '/backups',
  table: 'cinder_backups',
  fields: { ...common, volume_id: text(), snapshot_id: text(), size: integer(), host: text(), availability_zone: text(), container: text(), parent_id: text(), data_timestamp: when() },
}

export const messageList: Resource = {
  one: 'message',
  many: 'messages',
  path: '/messages',
  table: 'cinder_messages',
  fields: { id: text(), event_id: text(), resource_type: text(), resource_uuid: text(), message_level: text(), request_id: text(), created_at: when(), expires_at: { ...when(), alias: 'guaranteed_until' } },
}

export const groupList: Resource = {
  one: 'group',
  many: 'groups',
  path: '/groups',
  table: 'cinder_groups',
  fields: { ...common, availability_zone: text(), host: text(), group_type_id: text({}, { alias: 'group_type' }), source_group_id: text(), group_snapshot_id: text() },
}

export const groupTypeList: Resource = {
  one: 'group_type',
  many: 'group_types',
  path: '/group_types',
  table: 'cinder_group_types',
  fields: { id: text(), name: text(), description: text(), is_public: boolean({ filter: false }), created_at: when() },
}

export const groupSnapshotList: Resource = { one: 'group_snapshot', many: 'group_snapshots', path: '/group_snapshots', table: 'cinder_group_snapshots', fields: { ...common, group_id: text(), group_type_id: text() } }
