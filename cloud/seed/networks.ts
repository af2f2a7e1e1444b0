/** The networks of a fresh cloud: `public` outside, and for the demo project a `private` network behind a router. */
import type { Caller, Client } from '#stack/client.ts'
import { operation } from '#stack/contract.ts'
import type { SeedParts } from './seed.ts'

interface Named {
  id: string
  name: string
}

/** Addresses for floating IPs; the host itself takes the gateway's. */
export const PUBLIC_CIDR = '172.24.4.0/24'
export const PUBLIC_GATEWAY = '172.24.4.1'
const POOL_CIDR = '10.128.0.0/9'
const PRIVATE_CIDR = '10.0.0.0/24'
const PRIVATE_CIDR6 = 'fd42:0d01:0000:0001::/64'

const list = (noun: string) => operation<{ query: { name: string; project_id?: string } }, Record<string, Named[]>>('GET', `/v2.0/${noun}`)
const create = (noun: string) => operation<{ body: object }, Record<string, Named>>('POST', `/v2.0/${noun}`)
const addInterface = operation<{ params: { router_id: string }; body: { subnet_id: string } }, unknown>('PUT', '/v2.0/routers/{router_id}/add_router_interface')

export async function seedNetworks({ client, identity }: SeedParts, admin: Caller): Promise<void> {
  const demo = await identity.userCaller('demo', 'demo')
  if (await missing(client, admin, 'networks', 'public')) {
    const { network } = await client.call(admin, 'neutron', create('networks'), {
      body: { network: { name: 'public', 'router:external': true, is_default: true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' } },
    })
    await client.call(admin, 'neutron', create('subnets'), {
      body: { subnet: { name: 'public-subnet', network_id: network!.id, ip_version: 4, cidr: PUBLIC_CIDR, gateway_ip: PUBLIC_GATEWAY, enable_dhcp: false, allocation_pools: [{ start: '172.24.4.2', end: '172.24.4.254' }] } },
    })
  }
  // Whence `--use-default-subnet-pool` and automatic topologies take their addresses.
  if (await missing(client, admin, 'subnetpools', 'default-pool-v4')) {
    await client.call(admin, 'neutron', create('subnetpools'), { body: { subnetpool: { name: 'default-pool-v4', prefixes: [POOL_CIDR], default_prefixlen: 26, shared: true, is_default: true } } })
  }
  if (!(await missing(client, demo, 'networks', 'private'))) return
  const { network } = await client.call(demo, 'neutron', create('networks'), { body: { network: { name: 'private' } } })
  const subnet4 = await client.call(demo, 'neutron', create('subnets'), { body: { subnet: { name: 'private-subnet', network_id: network!.id, ip_version: 4, cidr: PRIVATE_CIDR, dns_nameservers: [] } } })
  const subnet6 = await client.call(demo, 'neutron', create('subnets'), {
    body: { subnet: { name: 'private-subnet-v6', network_id: network!.id, ip_version: 6, cidr: PRIVATE_CIDR6, ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' } },
  })
  const outside = await client.call(demo, 'neutron', list('networks'), { query: { name: 'public' } })
  const { router } = await client.call(demo, 'neutron', create('routers'), {
    body: { router: { name: 'router', external_gateway_info: { network_id: outside.networks![0]!.id } } },
  })
  for (const { subnet } of [subnet4, subnet6]) {
    await client.call(demo, 'neutron', addInterface, { params: { router_id: router!.id }, body: { subnet_id: subnet!.id } })
  }
}

async function missing(client: Client, caller: Caller, noun: string, name: string): Promise<boolean> {
  const found = await client.call(caller, 'neutron', list(noun), { query: { name } })
  return (found[noun] ?? []).length === 0
}
