/** Tells the user why work that was begun came to nothing (`/messages`). */
import type { FaultData } from '#base/fault.ts'
import { currentScope } from '#base/scope.ts'
import type { Cinder } from '../house.ts'
import { insertMessage } from '../store/messages.ts'

const ACTIONS = {
  schedule: ['001', 'schedule allocate volume'],
  attach: ['002', 'attach volume'],
  upload: ['003', 'copy volume to image'],
  reimage: ['005', 'copy image to volume'],
  extend: ['007', 'extend volume'],
  create: ['008', 'create volume from backend storage'],
  snapshot_create: ['009', 'create snapshot'],
  snapshot_delete: ['010', 'delete snapshot'],
  backup_create: ['013', 'create backup'],
  backup_delete: ['014', 'delete backup'],
  backup_restore: ['015', 'restore backup'],
  revert: ['017', 'revert to snapshot'],
  migrate: ['018', 'migrate volume'],
  delete: ['019', 'delete volume'],
} as const

const KINDS = { volume: 'VOLUME', snapshot: 'VOLUME_SNAPSHOT', backup: 'VOLUME_BACKUP' } as const

export interface Telling {
  kind: keyof typeof KINDS
  id: string
  project_id: string
  action: keyof typeof ACTIONS
  fault: FaultData
}

export async function tell(house: Cinder, { kind, id, project_id, action, fault }: Telling): Promise<void> {
  const { clock, random } = house.world
  const [number, words] = ACTIONS[action]
  const none = fault.code === 'scheduler.none'
  // What a backend says may name its insides: users read only what was written for them.
  const why = none ? 'Could not find any available weighted backend.' : fault.kind === 'internal' ? 'An unknown error occurred.' : fault.message
  const now = clock.now()
  await insertMessage(house.db, {
    id: random.uuid(),
    project_id,
    request_id: currentScope()?.request_id ?? `req-${random.uuid()}`,
    resource_type: KINDS[kind],
    resource_uuid: id,
    event_id: `VOLUME_${KINDS[kind]}_${number}_${none ? '003' : '001'}`,
    message_level: 'ERROR',
    user_message: `${words}:${why}`,
    expires_at: now + house.config.message_ttl * 1000,
    created_at: now,
  })
}
