/** The workers' end of `contract/control-rpc.ts`: hosts come, live, ask what should be on them, and tell what is. */
import { conflict, isFault } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { replaceInventories, listInventories } from '#placement/contract/inventories.ts'
import { createProvider, showProvider } from '#placement/contract/resource-providers.ts'
import { listProviderTraits, replaceProviderTraits } from '#placement/contract/traits.ts'
import type { PowerState } from '#nova/drivers/interface.ts'
import type { ComputeReport, ControlRpc, HostWishes } from '../contract/control-rpc.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOfMany } from '../store/block-devices.ts'
import { beatServices, computeNodeById, insertComputeNode, insertService, patchComputeNode, patchService, serviceOf } from '../store/computes.ts'
import { patchMigration, unburiedEvacuationsFrom } from '../store/server-migrations.ts'
import { bury, patchServer, serversByIds, serversOnHost, unburiedOn } from '../store/servers.ts'
import type { FlavorSnapshot, NicInfo, ServerRow } from '../store/tables.ts'
import { release } from './claims.ts'
import { callCompute } from './computes.ts'
import { guestWish } from './guest.ts'
import { moveServer } from './state.ts'

const NUMBER_POWER = Object.fromEntries(Object.entries(POWER_NUMBER).map(([name, number]) => [number, name])) as Record<number, PowerState>

export function hostReports(nova: Nova): ControlRpc {
  return {
    async report({ computes }) {
      for (const compute of computes) {
        await register(nova, compute)
        await provide(nova, compute)
      }
      nova.hosts.forget()
    },
    async beat({ host_ids }) {
      const known = new Set(await beatServices(nova.db, host_ids, nova.world.clock.now()))
      return { unknown: host_ids.filter((id) => !known.has(id)) }
    },
    async wishes({ host_ids }) {
      const hosts: HostWishes[] = []
      for (const host_id of host_ids) hosts.push(await wishesOf(nova, host_id))
      return { hosts }
    },
    async guestsOf({ host_id }) {
      const servers = (await serversOnHost(nova.db, host_id)).filter((server) => server.launched_at !== null && server.vm_state !== 'shelved_offloaded')
      const devices = await blockDevicesOfMany(nova.db, servers.map((server) => server.id))
      const guests = []
      for (const server of servers) {
        const plain: ServerRow = { ...server, config_drive: '' }
        const guest = await guestWish(nova, { server: plain, flavor: JSON.parse(server.flavor) as FlavorSnapshot, devices: devices.get(server.id) ?? [], nics: JSON.parse(server.network_info) as NicInfo[] })
        guests.push({ guest, power: server.power_state === POWER_NUMBER.running ? ('running' as const) : ('shutdown' as const) })
      }
      return { guests }
    },
    async observed({ host_id, guests }) {
      const rows = new Map((await serversByIds(nova.db, guests.map((guest) => guest.server_id))).map((row) => [row.id, row]))
      for (const { server_id, power_state } of guests) {
        const row = rows.get(server_id)
        if (row && row.deleted === 0 && row.host_id === host_id) await observe(nova, row, power_state)
      }
    },
    async buried({ host_id, server_ids }) {
      await bury(nova.db, host_id, server_ids)
      const now = nova.world.clock.now()
      for (const move of await unburiedEvacuationsFrom(nova.db, host_id)) {
        if (server_ids.includes(move.server_id)) {
          await release(nova, move.uuid)
          await patchMigration(nova.db, move.uuid, { buried: 1, status: 'completed', updated_at: now })
        }
      }
    },
  }
}

async function wishesOf(nova: Nova, host_id: string): Promise<HostWishes> {
  const servers = await serversOnHost(nova.db, host_id)
  const deleted = await unburiedOn(nova.db, host_id)
  const here = new Set(servers.map((server) => server.id))
  const evacuated = (await unburiedEvacuationsFrom(nova.db, host_id)).map((move) => move.server_id).filter((id) => !here.has(id))
  return {
    host_id,
    servers: servers.map((server) => ({ server_id: server.id, power_state: NUMBER_POWER[server.power_state] ?? 'nostate', settled: server.task_state === null })),
    tombstones: [...new Set([...deleted, ...evacuated])],
  }
}

/** What was seen of a settled server becomes its state: a guest that turned itself off is stopped. */
async function observe(nova: Nova, row: ServerRow, seen: PowerState): Promise<void> {
  const number = POWER_NUMBER[seen]
  if (row.task_state !== null || row.power_state === number) return
  const off = seen === 'shutdown' || seen === 'crashed'
  if (row.vm_state === 'active' && off) {
    await moveServer(nova, nova.db, row.id, { vm_state: 'active', task_state: null }, { vm_state: 'stopped', power_state: number })
  } else if (row.vm_state === 'active' && seen === 'paused') {
    await moveServer(nova, nova.db, row.id, { vm_state: 'active', task_state: null }, { vm_state: 'paused', power_state: number })
  } else if (row.vm_state === 'paused' && seen === 'running') {
    await moveServer(nova, nova.db, row.id, { vm_state: 'paused', task_state: null }, { vm_state: 'active', power_state: number })
  } else if (row.vm_state === 'stopped' && seen === 'running') {
    // Nobody asked for it to run.
    await callCompute(nova, row.host_id!, 'powerOff', { server_id: row.id }, { wait: 0 })
  } else {
    await patchServer(nova.db, row.id, { power_state: number })
  }
}

async function register(nova: Nova, { host, host_ip, facts, traits }: ComputeReport): Promise<void> {
  const now = nova.world.clock.now()
  for (let attempt = 1; ; attempt++) {
    try {
      await nova.db.transaction(async (tx) => {
        const node = await computeNodeById(tx, facts.host_id)
        const service = await serviceOf(tx, host, 'nova-compute')
        const service_id = service?.id ?? node?.service_id ?? (await insertService(tx, { uuid: nova.world.random.uuid(), host, binary: 'nova-compute', topic: 'compute', disabled: 0, disabled_reason: null, forced_down: 0, last_seen_at: now, created_at: now, updated_at: now }))
        // A renamed host is the same host: its rows follow its stored id.
        await patchService(tx, service_id, { host, last_seen_at: now, ...(service && service.forced_down === 1 ? {} : { forced_down: 0 }) })
        const values = { service_id, host, hypervisor_hostname: facts.hypervisor_hostname, host_ip, facts: JSON.stringify(facts), traits: JSON.stringify(traits), updated_at: now }
        if (node) await patchComputeNode(tx, facts.host_id, values)
        else await insertComputeNode(tx, { uuid: facts.host_id, ...values, created_at: now })
      })
      return
    } catch (thrown) {
      if (!isDuplicate(nova.db.engine, thrown)) throw thrown
      if (attempt < 5) continue
      throw conflict(`Another host is already known as ${host}: its stored id is not ${facts.host_id}.`, { code: 'nova.host_taken', cause: thrown })
    }
  }
}

/** The host's resource provider: made, and its inventory as it is now. Ratios that an operator changed stay. */
async function provide(nova: Nova, { facts, traits }: ComputeReport): Promise<void> {
  const { config, client } = nova
  const caller = await nova.service()
  const uuid = facts.host_id
  const provider = await client.call(caller, 'placement', showProvider, { params: { uuid } }).catch(async (thrown: unknown) => {
    if (!isFault(thrown, 'not_found')) throw thrown
    return client.call(caller, 'placement', createProvider, { body: { name: facts.hypervisor_hostname, uuid } })
  })
  const now = await client.call(caller, 'placement', listInventories, { params: { uuid } })
  const wish = (name: string, total: number, reserved: number, ratio: number) => (total > 0 ? { [name]: { total, reserved, min_unit: 1, max_unit: total, step_size: 1, allocation_ratio: now.inventories[name]?.allocation_ratio ?? ratio } } : {})
  const inventories = {
    ...now.inventories,
    ...wish('VCPU', facts.vcpus, config.reserved_host_cpus, config.cpu_allocation_ratio),
    ...wish('MEMORY_MB', facts.memory_mb, Math.min(config.reserved_host_memory_mb, facts.memory_mb - 1), config.ram_allocation_ratio),
    ...wish('DISK_GB', facts.local_gb, Math.ceil(config.reserved_host_disk_mb / 1_024), config.disk_allocation_ratio),
  }
  if (!sameInventories(now.inventories, inventories)) {
    await client.call(caller, 'placement', replaceInventories, { params: { uuid }, body: { resource_provider_generation: now.resource_provider_generation ?? provider.generation, inventories } })
  }
  const has = await client.call(caller, 'placement', listProviderTraits, { params: { uuid } })
  const wanted = [...new Set([...has.traits.filter((trait) => !trait.startsWith('COMPUTE_')), ...traits])].toSorted()
  if (wanted.join() !== has.traits.toSorted().join()) {
    await client.call(caller, 'placement', replaceProviderTraits, { params: { uuid }, body: { resource_provider_generation: has.resource_provider_generation, traits: wanted } })
  }
}

function sameInventories(a: Readonly<Record<string, object>>, b: Readonly<Record<string, object>>): boolean {
  const text = (all: Readonly<Record<string, object>>): string => JSON.stringify(Object.entries(all).toSorted(([x], [y]) => x.localeCompare(y)).map(([name, one]) => [name, Object.entries(one).toSorted(([x], [y]) => x.localeCompare(y))]))
  return text(a) === text(b)
}
