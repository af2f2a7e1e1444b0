/** `os-floating-ips` and `os-floating-ip-pools`, until 2.35: Neutron's floating addresses; a pool is an external network. */
import { forbidden, isFault, notFound } from '#base/fault.ts'
import { listNetworks, type Network } from '#neutron/contract/network.ts'
import { createFloatingIp, deleteFloatingIp, type FloatingIp, listFloatingIps, showFloatingIp } from '#neutron/contract/router.ts'
import { route, type Route, type Rq } from '#stack/route.ts'
import type { Nova } from '../house.ts'
import { proxied, PROXIES_END } from './proxy-steps.ts'
import { callerOf } from './server-create.ts'

export function floatingIpRoutes(nova: Nova): Route[] {
  const until = PROXIES_END
  const one = '/v2.1/os-floating-ips/{floating_ip_id}'
  const p = (verb: string): string => `os_compute_api:os-floating-ips:${verb}`
  const missing = (rq: Rq<unknown>): string => `Floating IP not found for ID ${rq.params.floating_ip_id}`
  return [
    route({
      method: 'GET', path: '/v2.1/os-floating-ip-pools', name: 'floating-ip-pools.index', until, policy: 'os_compute_api:os-floating-ip-pools', status: 200,
      handle: async (rq) => ({ json: { floating_ip_pools: (await pools(nova, rq)).map((network) => ({ name: network.name || network.id })) } }),
    }),
    route({
      method: 'GET', path: '/v2.1/os-floating-ips', name: 'floating-ips.index', until, policy: p('list'), status: 200,
      async handle(rq) {
        const { floatingips } = await nova.client.call(callerOf(rq), 'neutron', listFloatingIps, { query: { project_id: rq.context.project_id } })
        return { json: { floating_ips: await views(nova, rq, floatingips) } }
      },
    }),
    route({
      method: 'GET', path: one, name: 'floating-ips.show', until, policy: p('show'), status: 200,
      async handle(rq) {
        const { floatingip } = await proxied(nova.client.call(callerOf(rq), 'neutron', showFloatingIp, { params: { id: rq.params.floating_ip_id! } }), missing(rq))
        return { json: { floating_ip: (await views(nova, rq, [floatingip]))[0] } }
      },
    }),
    route<{ pool?: unknown } | null | undefined>({
      method: 'POST', path: '/v2.1/os-floating-ips', name: 'floating-ips.create', until, policy: p('create'), status: 200,
      async handle(rq) {
        const floatingip = await allocate(nova, rq, typeof rq.body?.pool === 'string' && rq.body.pool !== '' ? rq.body.pool : undefined)
        return { json: { floating_ip: (await views(nova, rq, [floatingip]))[0] } }
      },
    }),
    route({
      method: 'DELETE', path: one, name: 'floating-ips.delete', until, policy: p('delete'), status: 202,
      async handle(rq) {
        await proxied(nova.client.call(callerOf(rq), 'neutron', deleteFloatingIp, { params: { id: rq.params.floating_ip_id! } }), missing(rq))
        return {}
      },
    }),
  ]
}

async function pools(nova: Nova, rq: Rq<unknown>): Promise<Network[]> {
  return (await nova.client.call(callerOf(rq), 'neutron', listNetworks, { query: { 'router:external': true } })).networks
}

/** Who names no pool gets one called `nova`, as it was the default, or the only one there is. */
async function allocate(nova: Nova, rq: Rq<unknown>, pool: string | undefined): Promise<FloatingIp> {
  const all = await pools(nova, rq)
  const network = pool === undefined ? (all.find((one) => one.name === 'nova') ?? (all.length === 1 ? all[0] : all.find((one) => one.is_default))) : all.find((one) => one.id === pool || one.name === pool)
  if (!network) throw notFound('Floating IP pool not found.')
  try {
    return (await nova.client.call(callerOf(rq), 'neutron', createFloatingIp, { body: { floatingip: { floating_network_id: network.id } } })).floatingip
  } catch (thrown) {
    if (isFault(thrown, 'conflict') && thrown.code === 'OverQuota') throw forbidden(`IP allocation over quota in pool ${network.name}.`, { cause: thrown })
    if (isFault(thrown, 'conflict')) throw notFound(`No more floating IPs in pool ${network.name}.`, { cause: thrown })
    throw thrown
  }
}

async function views(nova: Nova, rq: Rq<unknown>, rows: readonly FloatingIp[]): Promise<unknown[]> {
  if (rows.length === 0) return []
  const ids = [...new Set(rows.map((row) => row.floating_network_id))]
  const { networks } = await nova.client.call(callerOf(rq), 'neutron', listNetworks, { query: { id: ids, fields: ['id', 'name'] } })
  const names = new Map(networks.map((network) => [network.id, network.name || network.id]))
  return rows.map((row) => ({ id: row.id, ip: row.floating_ip_address, fixed_ip: row.fixed_ip_address, pool: names.get(row.floating_network_id) ?? row.floating_network_id, instance_id: row.port_details?.device_id || null }))
}
