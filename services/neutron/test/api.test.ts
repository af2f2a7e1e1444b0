/** The wire: who sees what, what is refused in which words, and that numbers hold under crowds. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CONTROL_TOPIC } from '../contract/rpc.ts'
import { HOST, neutronKit, type NeutronKit } from './kit.ts'

interface Named {
  id: string
  [key: string]: unknown
}

describe('the API of networks', () => {
  let kit: NeutronKit
  before(async () => {
    kit = await neutronKit({ default_quotas: { network: 40 } })
  })
  after(() => kit.shut())

  const make = async (path: string, body: object, as = 'member'): Promise<Named> => Object.values(await kit.must('POST', path, body, as))[0] as unknown as Named
  const status = async (method: string, path: string, body?: object, as = 'member'): Promise<[number, string]> => {
    const answer = await kit.call(method, path, { as, ...(body ? { body } : {}) })
    return [answer.status, (answer.json as { NeutronError?: { type: string } } | undefined)?.NeutronError?.type ?? '']
  }

  it('shows an administrator only the fields that were asked for, of every kind that may be shared', async () => {
    for (const path of ['/security-groups', '/networks', '/subnetpools', '/qos/policies', '/address-scopes']) {
      assert.equal((await kit.call('GET', `${path}?fields=id&fields=name`, { as: 'admin' })).status, 200, path)
    }
  })

  it('hides what is not yours, and refuses what you may see but not change', async () => {
    const mine = await make('/networks', { network: { name: 'mine' } })
    assert.deepEqual(await status('GET', `/networks/${mine.id}`, undefined, 'member@project-b'), [404, 'NetworkNotFound'])
    assert.deepEqual(await status('DELETE', `/networks/${mine.id}`, undefined, 'member@project-b'), [404, 'NetworkNotFound'])
    assert.deepEqual(await status('PUT', `/networks/${mine.id}`, { network: { name: 'x' } }, 'reader'), [403, 'PolicyNotAuthorized'])
    const shared = await make('/networks', { network: { name: 'shared', shared: true } }, 'admin')
    assert.deepEqual(await status('GET', `/networks/${shared.id}`, undefined, 'member@project-b'), [200, ''])
    assert.deepEqual(await status('DELETE', `/networks/${shared.id}`, undefined, 'member@project-b'), [403, 'PolicyNotAuthorized'])
    assert.equal((await make('/rbac-policies', { rbac_policy: { object_type: 'network', object_id: mine.id, action: 'access_as_shared', target_tenant: 'project-b' } })).target_tenant, 'project-b')
    const seen = (await kit.must('GET', `/networks/${mine.id}`, undefined, 'member@project-b')).network as unknown as Named
    assert.equal(seen.shared, true)
    assert.ok(!('provider:network_type' in seen))
  })

  it('says what is wrong with a body', async () => {
    assert.deepEqual(await status('POST', '/networks', { network: { nonsense: 1 } }), [400, 'HTTPBadRequest'])
    assert.deepEqual(await status('POST', '/networks', { network: { id: 'x' } }), [400, 'HTTPBadRequest'])
    assert.deepEqual(await status('POST', '/networks', { network: { shared: true } }), [403, 'PolicyNotAuthorized'])
    assert.deepEqual(await status('POST', '/networks', { network: { project_id: 'project-b' } }), [400, 'HTTPBadRequest'])
    assert.deepEqual(await status('GET', '/networks?nonsense=1'), [400, 'HTTPBadRequest'])
    assert.deepEqual(await status('POST', '/subnets', { subnet: { network_id: 'x', ip_version: 4, cidr: '10.0.0.0/24' } }), [400, 'HTTPBadRequest'])
  })

  it('counts quotas where they are used', async () => {
    const left = 40 - ((await kit.must('GET', '/quotas/project-c/details', undefined, 'admin')).quota as unknown as { network: { used: number } }).network.used
    const answers = await Promise.all(Array.from({ length: left + 3 }, () => kit.call('POST', '/networks', { as: 'member@project-c', body: { network: {} } })))
    assert.equal(answers.filter((answer) => answer.status === 201).length, left)
    const refused = answers.find((answer) => answer.status !== 201)!
    assert.equal(refused.status, 409)
    assert.deepEqual(refused.json, { NeutronError: { type: 'OverQuota', message: "Quota exceeded for resources: ['network'].", detail: '' } })
  })

  it('gives every port of a crowd an address of its own, to the last one', async () => {
    const network = await make('/networks', { network: {} })
    await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.9.0.0/28', enable_dhcp: false } })
    const answers = await Promise.all(Array.from({ length: 15 }, () => kit.call('POST', '/ports', { as: 'member', body: { port: { network_id: network.id } } })))
    const ports = answers.filter((answer) => answer.status === 201).map((answer) => (answer.json as { port: { fixed_ips: { ip_address: string }[] } }).port)
    assert.equal(ports.length, 13)
    assert.equal(new Set(ports.map((port) => port.fixed_ips[0]!.ip_address)).size, 13)
    const refused = answers.find((answer) => answer.status !== 201)!
    assert.equal((refused.json as { NeutronError: { type: string } }).NeutronError.type, 'IpAddressGenerationFailure')
  })

  it('takes a subnet by any address of it, and keeps tags in order', async () => {
    const network = await make('/networks', { network: { name: 'tagged' } })
    assert.equal((await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.99.99.0/16' } })).cidr, '10.99.0.0/16')
    assert.deepEqual(await status('POST', '/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.98/16' } }), [400, 'HTTPBadRequest'])
    assert.deepEqual((await kit.must('PUT', `/networks/${network.id}/tags`, { tags: ['red', 'blue'] })).tags, ['blue', 'red'])
  })

  it('tells the instants of agents as Neutron does, and no others', async () => {
    await kit.parts.bus.call(CONTROL_TOPIC, 'heartbeat', { host: 'somewhere', availability_zone: 'nova', started_at: 0, agents: [{ agent_type: 'L3 agent', binary: 'b', topic: 'N/A', configurations: {} }] })
    const { agents } = (await kit.must('GET', '/agents?host=somewhere', undefined, 'admin')) as unknown as { agents: { started_at: string }[] }
    assert.equal(agents[0]!.started_at, '1970-01-01 00:00:00')
    assert.match((await make('/networks', { network: { name: 'when' } })).created_at as string, /T.*Z$/)
  })

  it('pages in both directions', async () => {
    const page = async (query: string): Promise<{ names: string[]; links: Record<string, string> }> => {
      const answer = (await kit.call('GET', `/networks?sort_key=name&name=p1&name=p2&name=p3&limit=2&fields=id&fields=name${query}`, { as: 'member@project-d' })).json as { networks: { name: string }[]; networks_links?: { rel: string; href: string }[] }
      return { names: answer.networks.map((one) => one.name), links: Object.fromEntries((answer.networks_links ?? []).map((one) => [one.rel, new URL(one.href).searchParams.get('marker')!])) }
    }
    for (const name of ['p2', 'p3', 'p1']) await make('/networks', { network: { name } }, 'member@project-d')
    const first = await page('')
    assert.deepEqual(first.names, ['p1', 'p2'])
    const second = await page(`&marker=${first.links.next!}`)
    assert.deepEqual(second.names, ['p3'])
    assert.deepEqual((await page(`&marker=${second.links.previous!}&page_reverse=True`)).names, ['p1', 'p2'])
  })

  it('makes a whole topology for a project that wants to think of none, once, and takes it away', async () => {
    const as = 'member@project-e'
    assert.deepEqual(await status('GET', '/auto-allocated-topology/null', undefined, as), [404, 'AutoAllocationFailure'])
    const outside = await make('/networks', { network: { name: 'outside', 'router:external': true, is_default: true } }, 'admin')
    await make('/subnets', { subnet: { network_id: outside.id, ip_version: 4, cidr: '203.0.113.0/24', enable_dhcp: false } }, 'admin')
    await make('/subnetpools', { subnetpool: { name: 'default', prefixes: ['10.128.0.0/9'], default_prefixlen: 26, shared: true, is_default: true } }, 'admin')
    const [first, second] = [await kit.must('GET', '/auto-allocated-topology/null', undefined, as), await kit.must('GET', '/auto-allocated-topology/null', undefined, as)]
    assert.deepEqual(second, first)
    const { id } = first.auto_allocated_topology as unknown as Named
    const network = (await kit.must('GET', `/networks/${id}`, undefined, as)).network as unknown as Named & { subnets: string[] }
    assert.deepEqual([network.name, network['router:external'], network.shared, network.subnets.length], ['auto_allocated_network', false, false, 1])
    const subnet = (await kit.must('GET', `/subnets/${network.subnets[0]}`, undefined, as)).subnet as unknown as Named
    assert.match(subnet.cidr as string, /^10\.\d+\.\d+\.\d+\/26$/)
    const { routers } = (await kit.must('GET', '/routers', undefined, as)) as unknown as { routers: (Named & { external_gateway_info: { network_id: string } })[] }
    assert.deepEqual(routers.map((one) => [one.name, one.external_gateway_info.network_id]), [['auto_allocated_router', outside.id]])
    await kit.must('DELETE', '/auto-allocated-topology/null', undefined, as)
    assert.deepEqual(await status('GET', `/networks/${id}`, undefined, as), [404, 'NetworkNotFound'])
  })

  it('keeps revisions, and holds a client to the one it names', async () => {
    const network = await make('/networks', { network: {} })
    const put = (revision: number): Promise<{ status: number }> => kit.call('PUT', `/networks/${network.id}`, { as: 'member', body: { network: { name: 'n' } }, headers: { 'if-match': `revision_number=${revision}` } })
    assert.equal((await put(7)).status, 412)
    assert.equal((await put(1)).status, 200)
    assert.equal(((await kit.must('GET', `/networks/${network.id}`)).network as unknown as Named).revision_number, 2)
  })

  it('refuses to pull away what others stand on', async () => {
    const network = await make('/networks', { network: {} })
    const subnet = await make('/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.8.0.0/24' } })
    const port = await make('/ports', { port: { network_id: network.id } })
    assert.deepEqual(await status('DELETE', `/networks/${network.id}`), [409, 'NetworkInUse'])
    assert.deepEqual(await status('DELETE', `/subnets/${subnet.id}`), [409, 'SubnetInUse'])
    const router = await make('/routers', { router: {} })
    await kit.must('PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
    assert.deepEqual(await status('DELETE', `/routers/${router.id}`), [409, 'RouterInUse'])
    assert.deepEqual(await status('DELETE', `/security-groups/${(port.security_groups as string[])[0]!}`), [409, 'SecurityGroupCannotRemoveDefault'])
    await kit.must('PUT', `/routers/${router.id}/remove_router_interface`, { subnet_id: subnet.id })
    for (const path of [`/routers/${router.id}`, `/ports/${port.id}`, `/subnets/${subnet.id}`, `/networks/${network.id}`]) assert.deepEqual(await status('DELETE', path), [204, ''], path)
  })

  it('moves a port between hosts by its bindings', async () => {
    const network = await make('/networks', { network: {} })
    const port = await make('/ports', { port: { network_id: network.id, 'binding:host_id': 'nowhere' } }, 'admin')
    assert.equal(port['binding:vif_type'], 'binding_failed')
    assert.deepEqual(await status('POST', `/ports/${port.id}/bindings`, { binding: { host: 'elsewhere' } }, 'admin'), [409, 'PortBindingError'])
    await kit.must('POST', `/ports/${port.id}/bindings`, { binding: { host: HOST } }, 'admin')
    assert.deepEqual(await status('POST', `/ports/${port.id}/bindings`, { binding: { host: HOST } }, 'admin'), [409, 'PortBindingAlreadyExists'])
    await kit.must('PUT', `/ports/${port.id}/bindings/${HOST}/activate`, undefined, 'admin')
    const moved = (await kit.must('GET', `/ports/${port.id}`, undefined, 'admin')).port as unknown as Named
    assert.deepEqual([moved['binding:host_id'], moved['binding:vif_type']], [HOST, 'tap'])
    assert.equal((await kit.call('GET', `/ports/${port.id}/bindings`, { as: 'member' })).status, 403)
  })
})

describe('extensions that no driver acts on', () => {
  it('are not there unless they are asked for', async () => {
    const kit = await neutronKit({ inert_extensions: 'hide' })
    const aliases = ((await kit.must('GET', '/extensions')) as unknown as { extensions: { alias: string }[] }).extensions.map((one) => one.alias)
    assert.deepEqual(aliases.filter((alias) => /metering|logging|local_ip/.test(alias)), [])
    assert.ok(aliases.includes('qos'))
    for (const path of ['/metering/metering-labels', '/log/logs', '/local_ips', '/extensions/metering']) assert.equal((await kit.call('GET', path, { as: 'admin' })).status, 404, path)
    await kit.shut()
    const other = await neutronKit()
    for (const path of ['/metering/metering-labels', '/log/logs', '/local_ips', '/extensions/metering']) assert.equal((await other.call('GET', path, { as: 'admin' })).status, 200, path)
    await other.shut()
  })
})
