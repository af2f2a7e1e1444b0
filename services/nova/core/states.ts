/**
 * The states of a server. `vm_state` is stable, `task_state` is what is being done and, taken by compare-and-swap, the lock; `power_state`
 * was observed. Which action is legal from where, and which status a client sees, are tables.
 */
import { conflict, type Fault } from '#base/fault.ts'
import type { PowerState } from '#nova/drivers/interface.ts'

export type VmState = 'active' | 'building' | 'deleted' | 'error' | 'paused' | 'rescued' | 'resized' | 'shelved' | 'shelved_offloaded' | 'soft-delete' | 'stopped' | 'suspended'

export type TaskState =
  | 'scheduling' | 'block_device_mapping' | 'networking' | 'spawning' | 'deleting' | 'soft-deleting' | 'restoring'
  | 'image_snapshot_pending' | 'image_snapshot' | 'image_pending_upload' | 'image_uploading' | 'image_backup'
  | 'updating_password' | 'pausing' | 'unpausing' | 'suspending' | 'resuming' | 'powering-off' | 'powering-on'
  | 'rebooting' | 'reboot_pending' | 'reboot_started' | 'rebooting_hard' | 'reboot_pending_hard' | 'reboot_started_hard'
  | 'rebuilding' | 'rebuild_block_device_mapping' | 'rebuild_spawning' | 'rescuing' | 'unrescuing'
  | 'resize_prep' | 'resize_migrating' | 'resize_migrated' | 'resize_finish' | 'resize_reverting' | 'resize_confirming' | 'migrating'
  | 'shelving' | 'shelving_image_pending_upload' | 'shelving_image_uploading' | 'shelving_offloading' | 'unshelving'

export interface StateOf {
  vm_state: string
  task_state: string | null
}

/** `OS-EXT-STS:power_state`. */
export const POWER_NUMBER: Readonly<Record<PowerState, number>> = { nostate: 0, running: 1, paused: 3, shutdown: 4, crashed: 6, suspended: 7 }

const REBUILD = { rebuilding: 'REBUILD', rebuild_block_device_mapping: 'REBUILD', rebuild_spawning: 'REBUILD' }
const RESIZE = { resize_prep: 'RESIZE', resize_migrating: 'RESIZE', resize_migrated: 'RESIZE', resize_finish: 'RESIZE' }

/** vm_state → task_state → status. */
const STATUS: Readonly<Record<VmState, Readonly<Record<string, string>> & { default: string }>> = {
  active: {
    default: 'ACTIVE', rebooting: 'REBOOT', reboot_pending: 'REBOOT', reboot_started: 'REBOOT',
    rebooting_hard: 'HARD_REBOOT', reboot_pending_hard: 'HARD_REBOOT', reboot_started_hard: 'HARD_REBOOT',
    updating_password: 'PASSWORD', migrating: 'MIGRATING', ...REBUILD, ...RESIZE,
  },
  building: { default: 'BUILD' },
  stopped: { default: 'SHUTOFF', ...RESIZE, ...REBUILD },
  resized: { default: 'VERIFY_RESIZE', resize_reverting: 'REVERT_RESIZE' },
  paused: { default: 'PAUSED', migrating: 'MIGRATING' },
  suspended: { default: 'SUSPENDED' },
  rescued: { default: 'RESCUE' },
  error: { default: 'ERROR', ...REBUILD },
  deleted: { default: 'DELETED' },
  'soft-delete': { default: 'SOFT_DELETED' },
  shelved: { default: 'SHELVED' },
  shelved_offloaded: { default: 'SHELVED_OFFLOADED' },
}

export function statusOf(state: StateOf): string {
  const row = STATUS[state.vm_state as VmState]
  if (!row) return 'UNKNOWN'
  return row[state.task_state ?? 'default'] ?? row.default
}

/** The vm_states and, where they matter, the task_states that show as one of these statuses (any case). Empty: no such status. */
export function statesOfStatuses(statuses: readonly string[]): { vm_states: VmState[]; exact: (state: StateOf) => boolean } {
  const wanted = new Set(statuses.map((one) => one.toUpperCase()))
  const vm_states = (Object.keys(STATUS) as VmState[]).filter((vm) => Object.values(STATUS[vm]).some((status) => wanted.has(status)))
  return { vm_states, exact: (state) => wanted.has(statusOf(state)) }
}

const SHOWS_PROGRESS = new Set(['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING'])
export const showsProgress = (status: string): boolean => SHOWS_PROGRESS.has(status)
export const showsFault = (status: string): boolean => status === 'ERROR' || status === 'DELETED'

export interface ActionRule {
  /** Word in "Cannot '<word>' instance …". */
  word: string
  vm_state: readonly VmState[] | 'any'
  /** `idle`: task_state must be null. */
  task_state: 'idle' | 'any' | readonly (TaskState | null)[]
  /** A locked server refuses it, unless for an administrator. */
  lock_checked: boolean
  needs_host?: boolean
}

const rule = (word: string, vm_state: ActionRule['vm_state'], more: Partial<ActionRule> = {}): ActionRule => ({ word, vm_state, task_state: 'idle', lock_checked: true, ...more })
const SNAPSHOTABLE: VmState[] = ['active', 'stopped', 'paused', 'suspended']
const ATTACHABLE: VmState[] = ['active', 'paused', 'stopped', 'resized', 'soft-delete', 'shelved', 'shelved_offloaded']

/** What may be done from where. Delete is legal everywhere. */
export const ACTIONS = {
  delete: rule('delete', 'any', { task_state: 'any' }),
  softDelete: rule('soft_delete', 'any', { task_state: 'any' }),
  restore: rule('restore', ['soft-delete']),
  forceDelete: rule('force_delete', 'any', { task_state: 'any' }),
  stop: rule('stop', ['active', 'error'], { needs_host: true }),
  start: rule('start', ['stopped'], { needs_host: true }),
  triggerCrashDump: rule('trigger_crash_dump', ['active', 'paused', 'rescued', 'resized', 'error'], { needs_host: true }),
  createBackup: rule('createBackup', SNAPSHOTABLE, { lock_checked: false }),
  createImage: rule('createImage', SNAPSHOTABLE, { lock_checked: false }),
  rebootSoft: rule('reboot', ['active']),
  rebootHard: rule('reboot', ['active', 'stopped', 'paused', 'suspended', 'error'], {
    task_state: [null, 'rebooting', 'reboot_pending', 'reboot_started', 'resuming', 'rebooting_hard', 'unpausing', 'pausing', 'suspending'],
  }),
  rebuild: rule('rebuild', ['active', 'stopped', 'error']),
  resize: rule('resize', ['active', 'stopped'], { needs_host: true }),
  migrate: rule('migrate', ['active', 'stopped'], { needs_host: true }),
  confirmResize: rule('confirmResize', ['resized']),
  revertResize: rule('revertResize', ['resized']),
  shelve: rule('shelve', SNAPSHOTABLE),
  shelveOffload: rule('shelveOffload', ['shelved']),
  unshelve: rule('unshelve', ['shelved', 'shelved_offloaded']),
  pause: rule('pause', ['active']),
  unpause: rule('unpause', ['paused']),
  suspend: rule('suspend', ['active']),
  resume: rule('resume', ['suspended']),
  rescue: rule('rescue', ['active', 'stopped', 'error']),
  unrescue: rule('unrescue', ['rescued']),
  changePassword: rule('changePassword', ['active']),
  attachVolume: rule('attach_volume', ATTACHABLE),
  detachVolume: rule('detach_volume', ATTACHABLE),
  swapVolume: rule('swap_volume', ['active', 'paused', 'resized']),
  attachInterface: rule('attach_interface', ['active', 'paused', 'stopped']),
  detachInterface: rule('detach_interface', ['active', 'paused', 'stopped']),
  deleteMetadata: rule('delete metadata', ['active', 'paused', 'suspended', 'stopped'], { task_state: 'any' }),
  updateMetadata: rule('update metadata', ['active', 'paused', 'suspended', 'stopped'], { task_state: 'any' }),
  liveMigrate: rule('os-migrateLive', ['active', 'paused']),
  forceComplete: rule('force_complete', ['active'], { task_state: ['migrating'] }),
  abortMigration: rule('abort live migration', 'any', { task_state: ['migrating'] }),
  evacuate: rule('evacuate', ['active', 'stopped', 'error'], { task_state: 'any', lock_checked: false }),
} satisfies Readonly<Record<string, ActionRule>>

export type ActionName = keyof typeof ACTIONS

/** Throws 409 unless the action is legal from here. */
export function assertMay(action: ActionName, server: StateOf & { id: string; host_id: string | null; locked_by: string | null }, isAdmin: boolean): void {
  const wanted: ActionRule = ACTIONS[action]
  if (wanted.lock_checked && server.locked_by !== null && !isAdmin) throw conflict(`Instance ${server.id} is locked`, { code: 'locked' })
  if (wanted.vm_state !== 'any' && !wanted.vm_state.includes(server.vm_state as VmState)) throw wrongState(wanted.word, server.id, 'vm_state', server.vm_state)
  const { task_state } = wanted
  const free = task_state === 'any' || (task_state === 'idle' ? server.task_state === null : task_state.includes(server.task_state as TaskState | null))
  if (!free) throw wrongState(wanted.word, server.id, 'task_state', server.task_state)
  if (wanted.needs_host && server.host_id === null) throw conflict(`Instance ${server.id} is not ready`, { code: 'not_ready' })
}

export function wrongState(word: string, serverId: string, attribute: string, state: string | null): Fault {
  return conflict(`Cannot '${word}' instance ${serverId} while it is in ${attribute} ${state ?? 'None'}`, { code: 'wrong_state' })
}
