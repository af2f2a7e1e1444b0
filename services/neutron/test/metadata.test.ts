/** A guest asks 169.254.169.254: it is known by its network and address, and nothing that it says of itself reaches Nova. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { signatureHolds } from '#nova/contract/metadata.ts'
import type { AgentProcess } from '#stack/house.ts'
import { FakeNetworkDriver } from '../drivers/fake/driver.ts'
import type { MetadataSource } from '../drivers/interface.ts'
import { agentProcess } from '../processes/agent.ts'
import { HOST, neutronKit, type NeutronKit } from './kit.ts'

const SECRET = 'of both houses'

describe('metadata', () => {
  let kit: NeutronKit
  let agent: AgentProcess
  let driver: FakeNetworkDriver
  let source: MetadataSource
  const server = createServer((request, response) => driver.askMetadata(source, request, response))
  let url = ''
  before(async () => {
    kit = await neutronKit()
    driver = new FakeNetworkDriver(kit.world)
    agent = agentProcess({ ...kit.parts, host: HOST, config: { ...kit.parts.config, metadata_proxy_shared_secret: SECRET } }, 'fake', driver)
    await agent.start()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await agent.close()
    await kit.shut()
  })

  const guest = async (as: string, server_id: string): Promise<{ network: string; address: string }> => {
    const network = ((await kit.must('POST', '/networks', { network: {} }, as)).network as unknown as { id: string }).id
    await kit.must('POST', '/subnets', { subnet: { network_id: network, ip_version: 4, cidr: '10.0.0.0/24' } }, as)
    const port = (await kit.must('POST', '/ports', { port: { network_id: network, fixed_ips: [{ ip_address: '10.0.0.5' }] } }, as)).port as unknown as { id: string; fixed_ips: { ip_address: string }[] }
    await kit.must('PUT', `/ports/${port.id}`, { port: { 'binding:host_id': HOST, device_id: server_id, device_owner: 'compute:nova' } }, 'admin')
    while (!driver.host.dhcp.has(network)) await new Promise((resolve) => setImmediate(resolve))
    return { network, address: port.fixed_ips[0]!.ip_address }
  }

  it('tells two guests with one address apart by their networks, and signs who they are', async () => {
    const mine = await guest('member', 'server-a')
    const other = await guest('member@project-b', 'server-b')
    assert.equal(mine.address, other.address)
    for (const [where, server_id, project_id] of [[mine, 'server-a', 'project-a'], [other, 'server-b', 'project-b']] as const) {
      source = { network_id: where.network, remote_address: where.address }
      const forged = { 'x-instance-id': 'server-z', 'x-tenant-id': 'project-z', 'x-forwarded-for': '10.9.9.9', 'x-instance-id-signature': 'abc', 'x-auth-token': 'mine' }
      const answer = (await (await fetch(`${url}/openstack/latest/meta_data.json?x=1`, { headers: forged })).json()) as { path: string; query: string; headers: Record<string, string> }
      assert.equal(answer.path, '/metadata/openstack/latest/meta_data.json')
      assert.equal(answer.query, 'x=1')
      assert.equal(answer.headers['x-instance-id'], server_id)
      assert.equal(answer.headers['x-tenant-id'], project_id)
      assert.equal(answer.headers['x-forwarded-for'], where.address)
      assert.ok(signatureHolds(server_id, answer.headers['x-instance-id-signature']!, SECRET))
    }
  })

  it('answers 404 to an address that is nobody', async () => {
    const { network } = await guest('member@project-c', 'server-c')
    source = { network_id: network, remote_address: '10.0.0.77' }
    assert.equal((await fetch(`${url}/latest/meta-data/`)).status, 404)
  })
})
