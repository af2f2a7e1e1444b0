/** `/v2.0/agents`, and which of them serve a network or a router. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import { boolFromString } from '#stack/resource/field.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { alive } from '#neutron/core/agents.ts'
import { toColumns } from '#neutron/core/body.ts'
import { agent as noun } from '#neutron/core/nouns/more.ts'
import { network as networkNoun } from '#neutron/core/nouns/network.ts'
import { router as routerNoun } from '#neutron/core/nouns/router.ts'
import type { Neutron } from '#neutron/house.ts'
import { changeRow, rowOf, rowsIn } from '#neutron/store/rows.ts'
import type { AgentRow, Row, T } from '#neutron/store/tables.ts'
import { not, since } from '#neutron/store/where.ts'
import { actorOf, missing } from './actor.ts'
import { type Desk, readRoutes, rowReply, shownRows, textReply } from './desk.ts'
import { networkDesk } from './networks.ts'
import { routerDesk } from './routers.ts'
import { rowToChange, updateWish } from './writing.ts'
import { store } from '#neutron/store/store.ts'

export function agentDesk(house: Neutron): Desk {
  const alive_since = (): number => house.now() - house.config.agent_down_time * 1000
  return {
    noun,
    visible: () => undefined,
    targets: async () => () => ({}),
    filters: {
      alive: (values) => (boolFromString(values.at(-1)!) ? since('heartbeat_timestamp', alive_since()) : not(since('heartbeat_timestamp', alive_since()))),
    },
    compute: async () => (row) => ({ alive: alive(row.heartbeat_timestamp as number, house.now(), house.config.agent_down_time), resources_synced: null }),
  }
}

export function agentRoutes(house: Neutron): Route[] {
  const desk = agentDesk(house)
  const path = `${noun.path}/{id}`
  const kept = (kind: 'dhcp' | 'l3'): Route[] => {
    const { collection, key, rule, type } = KINDS[kind]
    return [
      route({ method: 'GET', path: `${path}/${collection}`, name: `agents.${collection}`, status: 200, policy: `get_${collection}`, handle: (rq) => serves(house, rq, kind) }),
      route({ method: 'POST', path: `${path}/${collection}`, name: `agents.add_${rule}`, status: 201, policy: `create_${rule}`, handle: (rq) => assign(house, rq, kind) }),
      route({
        method: 'DELETE',
        path: `${path}/${collection}/{${key}}`,
        name: `agents.remove_${rule}`,
        status: 204,
        policy: `delete_${rule}`,
        handle: async (rq) => {
          await house.db.transaction(async (tx) => {
            const agent = await agentOf(tx, rq.params.id!, type)
            const gone = kind === 'dhcp' ? await store.dhcpNetworks.drop(tx, { network_id: rq.params[key]!, agent_id: agent.id }) : await store.l3Routers.drop(tx, { router_id: rq.params[key]!, agent_id: agent.id })
            if (gone === 0) throw conflict(KINDS[kind].notHosted(rq.params[key]!, agent.id), { code: kind === 'dhcp' ? 'NetworkNotHostedByDhcpAgent' : 'RouterNotHostedByL3Agent' })
            if (kind === 'dhcp') await store.networks.change(tx, { id: rq.params[key]! }, { availability_zones: '[]' })
            house.notices.everybody(tx, collection)
          })
          return {}
        },
      }),
    ]
  }
  return [
    ...readRoutes(desk, house),
    route({
      method: 'PUT',
      path,
      name: 'agents.update',
      status: 200,
      handle: async (rq) => {
        const given = updateWish(noun, rq)
        const row = await house.db.transaction(async (tx) => {
          const before = await rowToChange(tx, { desk, house, rq, id: rq.params.id!, rules: ['update_agent'], values: given.values })
          const next = { ...before, ...toColumns(noun, given.values) }
          await changeRow(tx as never, noun.table, before.id as string, next)
          return next
        })
        return rowReply(desk, house, rq, row)
      },
    }),
    route({
      method: 'DELETE',
      path,
      name: 'agents.delete',
      status: 204,
      handle: async (rq) => {
        await house.db.transaction(async (tx) => {
          const row = await rowToChange(tx, { desk, house, rq, id: rq.params.id!, rules: ['delete_agent'] })
          await store.dhcpNetworks.drop(tx, { agent_id: row.id as string })
          await store.l3Routers.drop(tx, { agent_id: row.id as string })
          await store.agents.drop(tx, { id: row.id as string })
        })
        return {}
      },
    }),
    ...kept('dhcp'),
    ...kept('l3'),
    route({ method: 'GET', path: '/v2.0/networks/{id}/dhcp-agents', name: 'networks.dhcp_agents', status: 200, policy: 'get_dhcp-agents', handle: (rq) => servedBy(house, rq, 'dhcp') }),
    route({ method: 'GET', path: '/v2.0/routers/{id}/l3-agents', name: 'routers.l3_agents', status: 200, policy: 'get_l3-agents', handle: (rq) => servedBy(house, rq, 'l3') }),
  ]
}

const KINDS = {
  dhcp: {
    collection: 'dhcp-networks',
    rule: 'dhcp-network',
    table: 'neutron_dhcp_networks',
    key: 'network_id',
    many: 'networks',
    desk: networkDesk,
    type: 'DHCP agent',
    notHosted: (id: string, agent: string) => `The network ${id} is not hosted by the DHCP agent ${agent}.`,
  },
  l3: {
    collection: 'l3-routers',
    rule: 'l3-router',
    table: 'neutron_l3_routers',
    key: 'router_id',
    many: 'routers',
    desk: routerDesk,
    type: 'L3 agent',
    notHosted: (id: string, agent: string) => `The router ${id} is not hosted by L3 agent ${agent}.`,
  },
} as const

async function agentOf(tx: T | Neutron['db'], id: string, type: string): Promise<AgentRow> {
  const row = (await rowOf(tx as never, noun.table, id)) as unknown as AgentRow | undefined
  if (!row) throw missing(noun, id)
  if (row.agent_type !== type) throw notFound(`Agent ${id} is not a ${type} or has been disabled`, { code: type === 'L3 agent' ? 'InvalidL3Agent' : 'InvalidDHCPAgent' })
  return row
}

async function serves(house: Neutron, rq: Rq, kind: 'dhcp' | 'l3'): Promise<Reply> {
  const { table, key, many, desk } = KINDS[kind]
  const agent = await rowOf(house.db as never, noun.table, rq.params.id!)
  if (!agent) throw missing(noun, rq.params.id!)
  const links = await rowsIn(house.db as never, table, 'agent_id', [agent.id as string])
  const rows: Row[] = await rowsIn(house.db as never, desk.noun.table, 'id', links.map((link) => link[key] as string))
  const texts = await shownRows(desk, house, house.db, rows, actorOf(rq))
  return textReply(`{"${many}":[${texts.join(',')}]}`)
}

async function assign(house: Neutron, rq: Rq, kind: 'dhcp' | 'l3'): Promise<Reply> {
  const { table, key, type } = KINDS[kind]
  const id = (rq.body as Record<string, unknown> | undefined)?.[key]
  if (typeof id !== 'string') throw invalid(`Missing ${key} in request body`, { code: 'HTTPBadRequest', field: key })
  await house.db.transaction(async (tx) => {
    const agent = await agentOf(tx, rq.params.id!, type)
    if (!agent.admin_state_up) throw conflict(`Agent ${agent.id} is not a valid ${type} or has been disabled`, { code: kind === 'l3' ? 'InvalidL3Agent' : 'InvalidDHCPAgent' })
    const target = await rowOf(tx as never, kind === 'dhcp' ? 'neutron_networks' : 'neutron_routers', id)
    if (!target) throw missing(kind === 'dhcp' ? networkNoun : routerNoun, id)
    const there = (await rowsIn(tx as never, table, key, [id])) as { agent_id: string }[]
    if (there.some((one) => one.agent_id === agent.id)) {
      if (kind === 'dhcp') throw conflict(`The network ${id} has been already hosted by the DHCP Agent ${agent.id}.`, { code: 'NetworkHostedByDHCPAgent' })
      return
    }
    if (kind === 'l3' && there.length > 0) throw conflict(`The router ${id} has been already hosted by the L3 Agent ${there[0]!.agent_id}.`, { code: 'RouterHostedByL3Agent' })
    if (kind === 'dhcp') await store.dhcpNetworks.add(tx, { network_id: id, agent_id: agent.id })
    else await store.l3Routers.add(tx, { router_id: id, agent_id: agent.id })
    const zone = JSON.stringify([agent.availability_zone ?? house.config.availability_zone])
    await changeRow(tx as never, kind === 'dhcp' ? 'neutron_networks' : 'neutron_routers', id, { availability_zones: zone })
    if (kind === 'l3') await moveRouter(tx, id, agent.host)
    house.notices.everybody(tx, type)
  })
  return { json: null }
}

/** A router's ports are bound where it runs. */
async function moveRouter(tx: T, routerId: string, host: string): Promise<void> {
  const links = await store.routerPorts.all(tx, { router_id: routerId }, ['port_id'])
  for (const { port_id } of links) await store.ports.change(tx, { id: port_id }, { 'binding:host_id': host, status: 'DOWN' })
}

async function servedBy(house: Neutron, rq: Rq, kind: 'dhcp' | 'l3'): Promise<Reply> {
  const { table, key, desk } = KINDS[kind]
  const target = await rowOf(house.db as never, desk.noun.table, rq.params.id!)
  if (!target) throw missing(desk.noun, rq.params.id!)
  const links = await rowsIn(house.db as never, table, key, [rq.params.id!])
  const rows = await rowsIn(house.db as never, noun.table, 'id', links.map((link) => link.agent_id as string))
  const texts = await shownRows(agentDesk(house), house, house.db, rows, actorOf(rq))
  return textReply(`{"agents":[${texts.join(',')}]}`)
}

