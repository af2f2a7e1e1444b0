/** Volumes and snapshots as they stand on the wire, and the calls other houses make. Paths are below the mount `/volume`. */
import { operation } from '#stack/contract.ts'

export type VolumeStatus =
  | 'creating' | 'available' | 'reserved' | 'attaching' | 'in-use' | 'detaching' | 'maintenance' | 'deleting' | 'awaiting-transfer' | 'error'
  | 'error_deleting' | 'error_restoring' | 'error_extending' | 'error_managing' | 'backing-up' | 'restoring-backup' | 'downloading' | 'uploading' | 'retyping' | 'extending'

export interface VolumeAttachment {
  id: string
  attachment_id: string
  volume_id: string
  server_id: string
  host_name: string | null
  device: string | null
  attached_at: string | null
}

export interface Volume {
  id: string
  name: string | null
  description: string | null
  status: VolumeStatus
  /** GiB. */
  size: number
  availability_zone: string
  /** `"true"` or `"false"`. */
  bootable: string
  encrypted: boolean
  multiattach: boolean
  volume_type: string | null
  snapshot_id: string | null
  source_volid: string | null
  metadata: Record<string, string>
  volume_image_metadata?: Record<string, string>
  attachments: VolumeAttachment[]
  user_id: string
  created_at: string
  updated_at: string | null
  migration_status: string | null
  'os-vol-tenant-attr:tenant_id'?: string
  'os-vol-host-attr:host'?: string | null
}

export interface VolumeCreate {
  size?: number
  name?: string
  description?: string
  imageRef?: string
  snapshot_id?: string
  source_volid?: string
  volume_type?: string
  availability_zone?: string
  multiattach?: boolean
  metadata?: Readonly<Record<string, string>>
  /** On whose behalf: only a caller with the role `service` may say; others are refused (400). Long work outlives its user's token. */
  project_id?: string
  user_id?: string
}

export interface VolumeSnapshot {
  id: string
  name: string | null
  status: 'creating' | 'available' | 'backing-up' | 'deleting' | 'error' | 'deleted' | 'unmanaging' | 'restoring' | 'error_deleting'
  volume_id: string
  size: number
  description: string | null
  created_at: string
}

const V = 'volume 3.70'
interface OneVolume {
  params: { volume_id: string }
}
interface OneSnapshot {
  params: { snapshot_id: string }
}

export const listVolumes = operation<{ query?: Readonly<Record<string, string | number | boolean | undefined>> }, { volumes: Volume[] }>('GET', '/v3/volumes/detail', V)
export const showVolume = operation<OneVolume, { volume: Volume }>('GET', '/v3/volumes/{volume_id}', V)
export const createVolume = operation<{ body: { volume: VolumeCreate } }, { volume: Volume }>('POST', '/v3/volumes', V)
export const deleteVolume = operation<OneVolume>('DELETE', '/v3/volumes/{volume_id}', V)
/** `{"os-extend": …}`, `{"os-reimage": {"image_id", "reimage_reserved"}}`, `{"os-migrate_volume_completion": …}` … */
export const actOnVolume = operation<OneVolume & { body: Readonly<Record<string, unknown>> }, unknown>('POST', '/v3/volumes/{volume_id}/action', V)
/** Made by a caller with the role `service`, the snapshot belongs to the project of its volume. */
export const createSnapshot = operation<{ body: { snapshot: { volume_id: string; name?: string; description?: string; force?: boolean; metadata?: Readonly<Record<string, string>> } } }, { snapshot: VolumeSnapshot }>('POST', '/v3/snapshots', 'volume 3.65')
export const listSnapshots = operation<{ query?: Readonly<Record<string, string | number | boolean | undefined>> }, { snapshots: VolumeSnapshot[] }>('GET', '/v3/snapshots/detail', V)
export const showSnapshot = operation<OneSnapshot, { snapshot: VolumeSnapshot }>('GET', '/v3/snapshots/{snapshot_id}', V)
export const deleteSnapshot = operation<OneSnapshot>('DELETE', '/v3/snapshots/{snapshot_id}', V)
