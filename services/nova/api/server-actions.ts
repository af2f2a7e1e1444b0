/** Actions that need one call to the host, or none: power, pause, lock, reset, password, console log. */
import { conflict, isFault, notFound } from '#base/fault.ts'
import type { Schema } from '#stack/schema.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { byVersion, v, type Versioned } from '#stack/version.ts'
import { assertMay, type ActionName } from '../core/states.ts'
import { type ActName, ACTS } from '../flows/act-on-server.ts'
import { callCompute } from '../flows/computes.ts'
import { moveServer } from '../flows/state.ts'
import type { Nova } from '../house.ts'
import { patchServer } from '../store/servers.ts'
import type { ServerRow } from '../store/tables.ts'
import { bare, envelope, object } from './schemas.ts'
import { authorizedServer, beginWork, isAdmin, loadServer, recordDone, targetOf } from './server-steps.ts'
import { deleteNow } from './servers.ts'

export const ACTION_PATH = '/v2.1/servers/{server_id}/action'

export interface ActionRoute {
  key: string
  /** Rule without `os_compute_api:`. */
  rule: string
  status?: number
  body?: Schema | Versioned<Schema>
  since?: number
  until?: number
}

/** A route of `POST …/action`: the server is loaded and the rule asked before `act`. `Body` is what stands under the key. */
export function actionRoute<Body = unknown>(nova: Nova, one: ActionRoute, act: (rq: Rq<Body>, server: ServerRow) => Promise<Reply | void>): Route {
  return route<Body>({
    method: 'POST', path: ACTION_PATH, action: one.key, name: `servers.${one.key}`, status: one.status ?? 202, body: one.body ?? bare(one.key),
    ...(one.since === undefined ? {} : { since: one.since }),
    ...(one.until === undefined ? {} : { until: one.until }),
    handle: async (rq) => (await act(rq, await authorizedServer(nova, rq, one.rule))) ?? {},
  })
}

export function serverActionRoutes(nova: Nova): Route[] {
  const simple = (key: string, rule: string, act: ActName, legal: ActionName, action = key): Route =>
    actionRoute(nova, { key, rule }, async (rq, server) => void (await begin(nova, rq, server, act, legal, action)))
  return [
    simple('os-stop', 'servers:stop', 'stop', 'stop', 'stop'),
    simple('os-start', 'servers:start', 'start', 'start', 'start'),
    simple('pause', 'os-pause-server:pause', 'pause', 'pause'),
    simple('unpause', 'os-pause-server:unpause', 'unpause', 'unpause'),
    simple('suspend', 'os-suspend-server:suspend', 'suspend', 'suspend'),
    simple('resume', 'os-suspend-server:resume', 'resume', 'resume'),
    simple('unrescue', 'os-unrescue', 'unrescue', 'unrescue'),
    actionRoute<{ type: string }>(
      nova,
      { key: 'reboot', rule: 'servers:reboot', body: envelope('reboot', object({ type: { enum: ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft'] } }, ['type'])) },
      async (rq, server) => {
        const hard = rq.body.type.toLowerCase() === 'hard'
        await begin(nova, rq, server, hard ? 'rebootHard' : 'rebootSoft', hard ? 'rebootHard' : 'rebootSoft', 'reboot')
      },
    ),
    actionRoute(nova, { key: 'restore', rule: 'os-deferred-delete:restore' }, async (rq, server) => {
      await beginWork(nova, rq, server, { action: 'restore', event: 'compute_restore_instance', legal: 'restore', lock: 'restoring', flow: nova.flows.restoreServer, params: {} })
    }),
    actionRoute(nova, { key: 'forceDelete', rule: 'os-deferred-delete:force' }, (rq, server) => deleteNow(nova, rq, server, 'forceDelete')),
    actionRoute<{ locked_reason?: string } | null>(
      nova,
      { key: 'lock', rule: 'os-lock-server:lock', body: byVersion({ '2.1': bare('lock'), '2.73': object({ lock: { anyOf: [{ type: 'null' }, object({ locked_reason: { type: 'string', minLength: 1, maxLength: 255 } })] } }, ['lock']) }) },
      async (rq, server) => {
        const owner = server.user_id === rq.context.user_id || server.project_id === rq.context.project_id
        const reason = rq.version >= v('2.73') ? (rq.body?.locked_reason ?? null) : null
        await recorded(nova, rq, server, 'lock', { locked_by: owner && !isAdmin(rq) ? 'owner' : isAdmin(rq) && !owner ? 'admin' : 'owner', locked_reason: reason })
      },
    ),
    actionRoute(nova, { key: 'unlock', rule: 'os-lock-server:unlock' }, async (rq, server) => {
      if (server.locked_by === 'admin') rq.authorize('os_compute_api:os-lock-server:unlock:unlock_override', targetOf(server))
      await recorded(nova, rq, server, 'unlock', { locked_by: null, locked_reason: null })
    }),
    actionRoute<{ state: 'active' | 'error' }>(
      nova,
      { key: 'os-resetState', rule: 'os-admin-actions:reset_state', body: envelope('os-resetState', object({ state: { enum: ['active', 'error'] } }, ['state'])) },
      async (rq, server) => {
        await nova.db.transaction(async (tx) => {
          await nova.engine.cancel(tx.as<unknown>(), 'server', server.id)
          await moveServer(nova, tx, server.id, {}, { vm_state: rq.body.state, task_state: null })
          await recordDone(nova, tx, rq, server.id, 'resetState')
        })
      },
    ),
    // Nothing is injected into guests any more: the network tells them. Clients that still ask are told that it is done.
    route({ method: 'POST', path: ACTION_PATH, action: 'resetNetwork', name: 'servers.resetNetwork', status: 410, body: bare('resetNetwork'), async handle(rq) {
      await loadServer(nova, rq)
      return { json: { itemNotFound: { code: 410, message: 'The action resetNetwork was removed: the network tells guests its settings itself.' } } }
    } }),
    actionRoute(nova, { key: 'injectNetworkInfo', rule: 'os-admin-actions:inject_network_info' }, async (_rq, server) => {
      if (server.host_id === null) throw conflict(`Instance ${server.id} is not ready`)
      await nova.bus.fanout('nova.wake', 'wake', { server_ids: [server.id] })
    }),
    actionRoute<{ adminPass: string }>(
      nova,
      { key: 'changePassword', rule: 'os-admin-password', body: envelope('changePassword', object({ adminPass: { type: 'string' } }, ['adminPass'])) },
      (rq, server) => changePassword(nova, rq, server, rq.body.adminPass),
    ),
    actionRoute(nova, { key: 'trigger_crash_dump', rule: 'servers:trigger_crash_dump', since: v('2.17') }, async (rq, server) => {
      assertMay('triggerCrashDump', server, isAdmin(rq))
      await callCompute(nova, server.host_id!, 'interrupt', { server_id: server.id }, { wait: 0 })
      await nova.db.transaction((tx) => recordDone(nova, tx, rq, server.id, 'trigger_crash_dump'))
    }),
    actionRoute<{ length?: number | string | null }>(
      nova,
      {
        key: 'os-getConsoleOutput', rule: 'os-console-output', status: 200,
        body: envelope('os-getConsoleOutput', object({ length: { anyOf: [{ type: 'integer', minimum: -1 }, { type: 'string', pattern: '^-?[0-9]+$' }, { type: 'null' }] } })),
      },
      (rq, server) => consoleOutput(nova, server, rq.body.length),
    ),
  ]
}

async function begin(nova: Nova, rq: Rq<unknown>, server: ServerRow, act: ActName, legal: ActionName, action: string): Promise<void> {
  const { lock, event } = ACTS[act]
  if (server.host_id === null) assertReady(server, legal, isAdmin(rq))
  await beginWork(nova, rq, server, { action, event, legal, lock, flow: nova.flows.actOnServer, params: { act } })
}

/** Without a host there is nothing to act on; the state is judged first, so that the message is the one clients know. */
function assertReady(server: ServerRow, legal: ActionName, admin: boolean): void {
  assertMay(legal, server, admin)
  throw conflict(`Instance ${server.id} is not ready`, { code: 'not_ready' })
}

async function recorded(nova: Nova, rq: Rq<unknown>, server: ServerRow, action: string, patch: Partial<ServerRow>): Promise<void> {
  await nova.db.transaction(async (tx) => {
    await patchServer(tx, server.id, { ...patch, updated_at: nova.world.clock.now() } as never)
    await recordDone(nova, tx, rq, server.id, action)
  })
}

async function changePassword(nova: Nova, rq: Rq<unknown>, server: ServerRow, password: string): Promise<void> {
  assertMay('changePassword', server, isAdmin(rq))
  if (server.host_id === null) throw conflict(`Instance ${server.id} is not ready`)
  // The password stands in no row and no journal: it goes to the host while the user waits.
  const taken = await moveServer(nova, nova.db, server.id, { vm_state: server.vm_state, task_state: null }, { task_state: 'updating_password' })
  if (!taken) throw conflict(`Cannot 'changePassword' instance ${server.id} while it is busy`)
  try {
    await callCompute(nova, server.host_id, 'setPassword', { server_id: server.id, user: 'root', password }, { wait: 0 })
    await nova.db.transaction((tx) => recordDone(nova, tx, rq, server.id, 'changePassword'))
  } catch (thrown) {
    if (isFault(thrown, 'unavailable')) throw conflict('Failed to set admin password: the guest has no agent that answers.', { cause: thrown })
    throw thrown
  } finally {
    await moveServer(nova, nova.db, server.id, { task_state: 'updating_password' }, { task_state: null })
  }
}

async function consoleOutput(nova: Nova, server: ServerRow, length: number | string | null | undefined): Promise<Reply> {
  if (server.host_id === null || server.vm_state === 'building') throw conflict(`Instance ${server.id} is not ready`)
  const lines = length === null || length === undefined || Number(length) < 0 ? undefined : Number(length)
  try {
    const { text } = await callCompute(nova, server.host_id, 'consoleLog', { server_id: server.id, ...(lines === undefined ? {} : { lines }) }, { wait: 0 })
    // XML 1.0 characters only, as Nova: a guest may print anything (A19).
    // The last line ends with a newline, which counts: clients split at newlines and count the pieces.
    const tail = lines === undefined ? text : lines === 0 ? '' : text.split('\n').slice(-lines).join('\n')
    return { json: { output: tail.replaceAll(/[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd]/g, '') } }
  } catch (thrown) {
    if (isFault(thrown, 'not_found')) throw notFound('Unable to get console', { cause: thrown })
    if (isFault(thrown, 'unavailable')) throw conflict(`The host of instance ${server.id} does not answer.`, { cause: thrown })
    throw thrown
  }
}

