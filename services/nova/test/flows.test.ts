/** Nova's flows, broken at every step: what fails leaves nothing behind, and what dies is finished by another worker. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FlowFaults } from '#base/flow/engine.ts'
import { eachCrash, eachFailure, type Trial } from '#base/flow/kit.ts'
import { novaKit, type NovaKit } from './kit.ts'

interface ServerTrial extends Trial {
  k: NovaKit
  id: string
}

type Act = (k: NovaKit, id: string) => Promise<void>

/** One act on a server that is there already (or, without `first`, its creation) in a cloud of its own. */
async function trial(flow: string, act: Act | undefined, kits: NovaKit[]): Promise<ServerTrial> {
  let armed: FlowFaults | undefined
  // Only the flow under trial is broken, in whichever worker it runs.
  const faults: FlowFaults = { before: (name, step) => (name === flow ? armed?.before?.(name, step) : undefined), after: (name, step) => (name === flow ? armed?.after?.(name, step) : undefined) }
  const k = await novaKit({ hosts: 2, faults, lease: 150, config: { agent_wait: 100 } })
  kits.push(k)
  const made: ServerTrial = {
    k,
    id: act ? await k.boot() : '',
    async run(given) {
      armed = given
      if (act) await act(k, made.id)
      else made.id = await k.boot({}, { wait: false })
      const until = Date.now() + 15_000
      while (Date.now() < until) {
        const rows = await k.nova.db.query.selectFrom('flows').select(['id', 'state']).where('resource_id', '=', made.id).where('state', 'in', ['queued', 'running', 'unwinding']).execute()
        if (rows.length === 0) return
        await k.nova.engine.look()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      throw new Error(`the flow ${flow} did not end`)
    },
  }
  return made
}

const guests = (k: NovaKit): number => k.hosts.reduce((sum, host) => sum + host.guests.size, 0)
const states = async ({ k, id }: ServerTrial) => k.nova.db.query.selectFrom('nova_servers').select(['vm_state', 'task_state']).where('id', '=', id).executeTakeFirstOrThrow()
const claims = async ({ k, id }: ServerTrial): Promise<number> => Object.keys((await k.placement('GET', `/allocations/${id}`)).json.allocations).length

async function within(work: (kits: NovaKit[]) => Promise<void>): Promise<void> {
  const kits: NovaKit[] = []
  try {
    await work(kits)
  } finally {
    for (const k of kits) await k.close()
  }
}

test('create-server that fails at any step leaves no guest, port or claim', () =>
  within((kits) =>
    eachFailure(() => trial('create-server', undefined, kits), async (done, step) => {
      const one = done as ServerTrial
      assert.deepEqual({ ...(await states(one)) }, { vm_state: 'error', task_state: null }, step)
      assert.deepEqual([guests(one.k), one.k.neutron.ports.size, await claims(one)], [0, 0, 0], step)
    }),
  ))

test('create-server whose worker dies after any step is finished once', () =>
  within((kits) =>
    eachCrash(() => trial('create-server', undefined, kits), async (done, step) => {
      const one = done as ServerTrial
      assert.deepEqual({ ...(await states(one)) }, { vm_state: 'active', task_state: null }, step)
      assert.deepEqual([guests(one.k), one.k.neutron.ports.size, await claims(one)], [1, 1, 1], step)
    }),
  ))

const remove: Act = async (k, id) => void (await k.request('DELETE', `/v2.1/servers/${id}`))
const stop: Act = async (k, id) => void (await k.act(id, { 'os-stop': null }))
const resize: Act = async (k, id) => void (await k.act(id, { resize: { flavorRef: '2' } }))

test('delete-server whose worker dies after any step still takes everything away', () =>
  within((kits) =>
    eachCrash(() => trial('delete-server', remove, kits), async (done, step) => {
      const one = done as ServerTrial
      assert.equal((await states(one)).vm_state, 'deleted', step)
      assert.deepEqual([guests(one.k), one.k.neutron.ports.size, await claims(one)], [0, 0, 0], step)
    }),
  ))

test('act-on-server lets the lock go when it fails, and is finished when its worker dies', () =>
  within(async (kits) => {
    await eachFailure(() => trial('act-on-server', stop, kits), async (done, step) => assert.deepEqual({ ...(await states(done as ServerTrial)) }, { vm_state: 'active', task_state: null }, step))
    await eachCrash(() => trial('act-on-server', stop, kits), async (done, step) => assert.deepEqual({ ...(await states(done as ServerTrial)) }, { vm_state: 'stopped', task_state: null }, step))
  }))

test('resize-server that fails gives one guest and one claim back, and is finished when its worker dies', () =>
  within(async (kits) => {
    await eachFailure(() => trial('resize-server', resize, kits), async (done, step) => {
      const one = done as ServerTrial
      assert.deepEqual({ ...(await states(one)) }, { vm_state: 'active', task_state: null }, step)
      assert.deepEqual([guests(one.k), await claims(one)], [1, 1], step)
    })
    await eachCrash(() => trial('resize-server', resize, kits), async (done, step) => assert.deepEqual({ ...(await states(done as ServerTrial)) }, { vm_state: 'resized', task_state: null }, step))
  }))
