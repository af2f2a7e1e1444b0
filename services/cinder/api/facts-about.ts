/** What the API says of itself: extensions, filters of lists, and what is known of a volume's encryption. */
import { notFound } from '#base/fault.ts'
import { type Route, route } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { attachmentList, backupList, groupList, groupSnapshotList, messageList, snapshotList, transferList, volumeList } from '../contract/lists.ts'
import type { Cinder } from '../house.ts'
import { loadVolume } from './load.ts'

const LISTS = { volume: volumeList, snapshot: snapshotList, backup: backupList, group: groupList, group_snapshot: groupSnapshotList, attachment: attachmentList, message: messageList, transfer: transferList }

const EXTENSIONS: readonly (readonly [alias: string, name: string, description: string])[] = [
  ['os-hosts', 'Hosts', 'Admin-only host administration.'],
  ['os-services', 'Services', 'Services support.'],
  ['os-availability-zone', 'AvailabilityZones', 'Describe Availability Zones.'],
  ['os-quota-sets', 'Quotas', 'Quota management support.'],
  ['os-quota-class-sets', 'QuotaClasses', 'Quota classes management support.'],
  ['os-used-limits', 'UsedLimits', 'Provide data on limited resources that are being used.'],
  ['os-types-manage', 'TypesManage', 'Types manage support.'],
  ['os-types-extra-specs', 'TypesExtraSpecs', 'Type extra specs support.'],
  ['os-volume-type-access', 'VolumeTypeAccess', 'Volume type access support.'],
  ['os-volume-type-encryption', 'VolumeTypeEncryption', 'Encryption support for volume types.'],
  ['os-volume-encryption-metadata', 'VolumeEncryptionMetadata', 'Volume encryption metadata retrieval support.'],
  ['qos-specs', 'Qos_specs_manage', 'QoS specs support.'],
  ['os-volume-actions', 'VolumeActions', 'Enable volume actions.'],
  ['os-admin-actions', 'AdminActions', 'Enable admin actions.'],
  ['os-snapshot-actions', 'SnapshotActions', 'Enable snapshot manager actions.'],
  ['os-extended-snapshot-attributes', 'ExtendedSnapshotAttributes', 'Extended SnapshotAttributes support.'],
  ['os-vol-image-meta', 'VolumeImageMetadata', 'Show image metadata associated with the volume.'],
  ['os-vol-tenant-attr', 'VolumeTenantAttribute', 'Expose the internal project_id as an attribute of a volume.'],
  ['os-vol-host-attr', 'VolumeHostAttribute', 'Expose host as an attribute of a volume.'],
  ['os-vol-mig-status-attr', 'VolumeMigStatusAttribute', 'Expose migration_status as an attribute of a volume.'],
  ['os-volume-transfer', 'VolumeTransfer', 'Volume transfer management support.'],
  ['os-volume-manage', 'VolumeManage', 'Allows existing backend storage to be managed by Cinder.'],
  ['os-volume-unmanage', 'VolumeUnmanage', 'Enable volume unmanage operation.'],
  ['backups', 'Backups', 'Backups support.'],
  ['capabilities', 'Capabilities', 'Capabilities support.'],
  ['scheduler-stats', 'Scheduler_stats', 'Scheduler stats support.'],
  ['OS-SCH-HNT', 'SchedulerHints', 'Pass arbitrary key/value pairs to the scheduler.'],
]

const describe = ([alias, name, description]: (typeof EXTENSIONS)[number]): object => ({ alias, name, description, links: [], updated: '2013-06-27T00:00:00+00:00' })

export const factsRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/extensions', name: 'extensions.list', status: 200, handle: () => ({ json: { extensions: EXTENSIONS.map(describe) } }) }),
  route({
    method: 'GET',
    path: '/extensions/{alias}',
    name: 'extensions.show',
    status: 200,
    handle: (rq) => {
      const found = EXTENSIONS.find(([alias]) => alias === rq.params.alias)
      if (!found) throw notFound(`Extension ${rq.params.alias!.slice(0, 100)} could not be found.`)
      return { json: { extension: describe(found) } }
    },
  }),
  route({
    method: 'GET',
    path: '/resource_filters',
    name: 'resource_filters.list',
    since: v('3.33'),
    status: 200,
    handle: (rq) => {
      const asked = rq.query.get('resource')
      const filters = Object.entries(LISTS).filter(([name]) => asked === null || name === asked)
      return { json: { resource_filters: filters.map(([resource, { fields }]) => ({ resource, filters: Object.entries(fields).filter(([, field]) => field.filter !== false).map(([name]) => name) })) } }
    },
  }),
  route({
    method: 'GET',
    path: '/volumes/{volume_id}/encryption',
    name: 'volumes.encryption',
    status: 200,
    handle: async (rq) => ({ json: { encryption_key_id: (await loadVolume(house, rq, rq.params.volume_id!, 'volume_extension:volume_encryption_metadata')).encryption_key_id } }),
  }),
  route({
    method: 'GET',
    path: '/volumes/{volume_id}/encryption/{key}',
    name: 'volumes.encryption_item',
    status: 200,
    handle: async (rq) => {
      const row = await loadVolume(house, rq, rq.params.volume_id!, 'volume_extension:volume_encryption_metadata')
      if (rq.params.key !== 'encryption_key_id') throw notFound(`Volume ${row.id} has no encryption metadata ${rq.params.key!.slice(0, 100)}.`)
      return { json: row.encryption_key_id }
    },
  }),
]
