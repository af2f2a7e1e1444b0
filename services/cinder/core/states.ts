/** Which states allow what. */
export const VOLUME_STATUSES = [
  'creating', 'available', 'deleting', 'error', 'error_deleting', 'error_managing', 'managing', 'attaching', 'in-use', 'detaching', 'maintenance', 'restoring-backup', 'error_restoring',
  'reserved', 'awaiting-transfer', 'backing-up', 'error_backing-up', 'error_extending', 'downloading', 'uploading', 'retyping', 'extending', 'error_managing_deleting', 'reverting',
] as const
export const MIGRATION_STATUSES = ['migrating', 'error', 'success', 'completing', 'none', 'starting', 'deleting'] as const
export const ATTACH_STATUSES = ['attached', 'attaching', 'detached', 'reserved', 'error_attaching', 'error_detaching', 'deleted'] as const
export const SNAPSHOT_STATUSES = ['error', 'available', 'creating', 'deleting', 'deleted', 'updating', 'error_deleting', 'unmanaging', 'backing-up', 'restoring'] as const
export const BACKUP_STATUSES = ['error', 'error_deleting', 'creating', 'available', 'deleting', 'deleted', 'restoring'] as const
export const GROUP_STATUSES = ['error', 'available', 'creating', 'deleting', 'deleted', 'updating', 'in-use', 'error_deleting'] as const
export const GROUP_SNAPSHOT_STATUSES = ['error', 'available', 'creating', 'deleting', 'deleted', 'updating', 'error_deleting'] as const

export const DELETABLE_VOLUME = ['available', 'error', 'error_restoring', 'error_extending', 'error_managing', 'error_deleting'] as const
export const DELETABLE_SNAPSHOT = ['available', 'error', 'error_deleting'] as const

/** A migration under way forbids most things. */
export function isMigrating(status: string | null): boolean {
  return status !== null && !['deleting', 'error', 'success', 'none'].includes(status)
}
