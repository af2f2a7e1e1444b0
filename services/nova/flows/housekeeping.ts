/** What the workers do by the clock: they say that they live, end what has outlived its time, and forget what is long gone. */
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Nova } from '../house.ts'
import { insertAction } from '../store/actions.ts'
import { insertService, patchService, serviceOf } from '../store/computes.ts'
import { dropConsoleTokens } from '../store/console-tokens.ts'
import { purgeServers, serversInState } from '../store/servers.ts'
import type { ServerPrivate, ServerRow } from '../store/tables.ts'
import { moveServer, type ServerWork } from './state.ts'

export function housekeeping(nova: Nova, host: string): { beat(): Promise<void>; round(): Promise<void> } {
  return {
    async beat() {
      for (const binary of ['nova-scheduler', 'nova-conductor']) await beatOwn(nova, host, binary)
    },
    async round() {
      const now = nova.world.clock.now()
      await reclaim(nova, now)
      await dropConsoleTokens(nova.db, { expired_at: now })
      await purgeServers(nova.db, now - nova.config.keep_deleted)
    },
  }
}

async function beatOwn(nova: Nova, host: string, binary: string): Promise<void> {
  const now = nova.world.clock.now()
  const known = await serviceOf(nova.db, host, binary)
  if (known) return patchService(nova.db, known.id, { last_seen_at: now })
  await nova.db
    .transaction((tx) => insertService(tx, { uuid: nova.world.random.uuid(), host, binary, topic: binary.slice('nova-'.length), disabled: 0, disabled_reason: null, forced_down: 0, last_seen_at: now, created_at: now, updated_at: now }))
    .catch((thrown: unknown) => {
      // Another process of this host was faster, or took the number: the next beat settles it.
      if (!isDuplicate(nova.db.engine, thrown)) throw thrown
    })
}

/** Soft-deleted servers whose grace is over are deleted. */
async function reclaim(nova: Nova, now: number): Promise<void> {
  const interval = nova.config.reclaim_instance_interval * 1_000
  if (interval === 0) return
  for (const server of await serversInState(nova.db, 'soft-delete', 100)) {
    const { soft_deleted_at } = JSON.parse(server.private) as ServerPrivate
    if ((soft_deleted_at ?? server.updated_at) + interval > now) continue
    await beginOwn(nova, server, 'deleting', 'delete', 'compute_terminate_instance', async (tx, work) => void (await nova.engine.start(tx, nova.flows.deleteServer, work, { resource_kind: 'server', resource_id: server.id, project_id: server.project_id })))
  }
}

/** Begins work that nobody asked for just now, under a request id of its own. */
export async function beginOwn(nova: Nova, server: ServerRow, lock: string, action: string, event: string, start: (tx: Parameters<Nova['engine']['start']>[0], work: ServerWork) => Promise<void>): Promise<boolean> {
  const started_at = nova.world.clock.now()
  const work: ServerWork = { server_id: server.id, action_id: nova.world.random.uuid(), event, started_at }
  return nova.db.transaction(async (tx) => {
    if (!(await moveServer(nova, tx, server.id, { vm_state: server.vm_state, task_state: null }, { task_state: lock }))) return false
    await insertAction(tx, { id: work.action_id, server_id: server.id, action, request_id: `req-${nova.world.random.uuid()}`, user_id: server.user_id, project_id: server.project_id, message: null, events: '[]', started_at, updated_at: started_at })
    await start(tx.as<unknown>(), work)
    return true
  })
}
