/** One of everything that a project can own, made through the API. */
import assert from 'node:assert/strict'
import type { Cloud } from '../start-cloud.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- answers of every service
export type Json = any

export interface Person {
  token: string
  user: string
  project: string
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<{ status: number; json: Json; text: string }>
}

export async function person(cloud: Cloud, name: string, password: string, project: string): Promise<Person> {
  const domain = { id: 'default' }
  const login = await cloud.fetch('/identity/v3/auth/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name, domain, password } } }, scope: { project: { name: project, domain } } } }),
  })
  const { token } = (await login.json()) as Json
  const own = login.headers.get('x-subject-token')!
  return {
    token: own,
    user: token.user.id,
    project: token.project.id,
    async ask(method, path, body, headers = {}) {
      const raw = typeof body === 'string' || body instanceof Uint8Array
      const answer = await cloud.fetch(path, {
        method,
        headers: { 'x-auth-token': own, 'content-type': raw ? 'application/octet-stream' : 'application/json', 'openstack-api-version': 'compute 2.96, volume 3.70, placement 1.39', ...headers },
        ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
      })
      const text = await answer.text()
      return { status: answer.status, text, json: text.startsWith('{') ? (JSON.parse(text) as Json) : undefined }
    },
  }
}

/** Names as in the templates of routes (`server_id`, `neutron:networks`) → ids of what the owner has. */
export async function possessions(owner: Person, admin: Person): Promise<Record<string, string>> {
  const make = async (who: Person, method: string, path: string, body: unknown, headers?: Record<string, string>): Promise<Json> => {
    const { status, json, text } = await who.ask(method, path, body, headers)
    assert.ok(status < 300, `${method} ${path} answered ${status}: ${text.slice(0, 300)}`)
    return json
  }
  const has: Record<string, string> = { project_id: owner.project, tenant_id: owner.project, user_id: owner.user, account: `AUTH_${owner.project}` }
  const net = '/networking/v2.0'
  const neutron = async (noun: string, body: Json, plural = `${noun}s`): Promise<string> => {
    const id = (await make(owner, 'POST', `${net}/${plural.replaceAll('_', '-').replace('qos-', 'qos/')}`, { [noun]: body }))[noun].id as string
    has[`neutron:${plural.replaceAll('_', '-').replace('qos-', '')}`] = id
    return id
  }
  const external = (await owner.ask('GET', `${net}/networks?router:external=True`)).json.networks[0].id as string
  const network_id = (has.network_id = await neutron('network', { name: 'own' }))
  const subnet_id = (has.subnet_id = await neutron('subnet', { network_id, cidr: '10.99.0.0/24', ip_version: 4 }))
  const port_id = (has.port_id = await neutron('port', { network_id }))
  has.router_id = await neutron('router', { name: 'own', external_gateway_info: { network_id: external } })
  await make(owner, 'PUT', `${net}/routers/${has.router_id}/add_router_interface`, { subnet_id })
  has.floatingip_id = await neutron('floatingip', { floating_network_id: external })
  const group = (has.security_group_id = await neutron('security_group', { name: 'own' }, 'security_groups'))
  has.security_group_rule_id = await neutron('security_group_rule', { security_group_id: group, direction: 'ingress', protocol: 'tcp' }, 'security_group_rules')
  has.subnetpool_id = await neutron('subnetpool', { name: 'own', prefixes: ['10.77.0.0/16'] })
  has.address_scope_id = await neutron('address_scope', { name: 'own', ip_version: 4 }, 'address_scopes')
  has.address_group_id = await neutron('address_group', { name: 'own', addresses: ['10.0.0.0/8'] }, 'address_groups')
  await neutron('trunk', { port_id: await neutron('port', { network_id }) })
  has['neutron:ports'] = port_id
  has['floatingips/port_forwardings'] = (await make(owner, 'POST', `${net}/floatingips/${has.floatingip_id}/port_forwardings`, { port_forwarding: { internal_port_id: port_id, internal_ip_address: ((await make(owner, 'GET', `${net}/ports/${port_id}`, undefined)).port as Json).fixed_ips[0].ip_address, internal_port: 80, external_port: 8080, protocol: 'tcp' } })).port_forwarding.id

  has.image_id = (await make(owner, 'POST', '/image/v2/images', { name: 'own', disk_format: 'raw', container_format: 'bare', tags: ['own'] })).id
  await make(owner, 'PUT', `/image/v2/images/${has.image_id}/file`, 'bytes of the owner')

  const volume = `/volume/v3/${owner.project}`
  const until = async (path: string, noun: string, ...states: string[]): Promise<void> => {
    for (let i = 0; i < 500; i++) {
      const { status } = (await make(owner, 'GET', path, undefined))[noun] as { status: string }
      if (states.includes(status)) return
      assert.ok(!/error/i.test(status), `${path} is ${status}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`${path} did not become ${states.join(' or ')}`)
  }
  has.volume_id = (await make(owner, 'POST', `${volume}/volumes`, { volume: { size: 1, name: 'own', metadata: { own: 'yes' } } })).volume.id
  await until(`${volume}/volumes/${has.volume_id}`, 'volume', 'available')
  has.snapshot_id = (await make(owner, 'POST', `${volume}/snapshots`, { snapshot: { volume_id: has.volume_id } })).snapshot.id
  await until(`${volume}/snapshots/${has.snapshot_id}`, 'snapshot', 'available')
  has.backup_id = (await make(owner, 'POST', `${volume}/backups`, { backup: { volume_id: has.volume_id } })).backup.id
  await until(`${volume}/backups/${has.backup_id}`, 'backup', 'available')
  const given = (await make(owner, 'POST', `${volume}/volumes`, { volume: { size: 1 } })).volume.id as string
  await until(`${volume}/volumes/${given}`, 'volume', 'available')
  has.transfer_id = (await make(owner, 'POST', `${volume}/volume-transfers`, { transfer: { volume_id: given } })).transfer.id
  const type = (await make(admin, 'POST', `/volume/v3/${admin.project}/group_types`, { group_type: { name: 'strangers' } })).group_type.id as string
  const types = (await make(owner, 'GET', `${volume}/types`, undefined)).volume_types as { id: string }[]
  has.group_id = (await make(owner, 'POST', `${volume}/groups`, { group: { group_type: type, volume_types: [types[0]!.id], name: 'own' } })).group.id
  await until(`${volume}/groups/${has.group_id}`, 'group', 'available')

  const compute = '/compute/v2.1'
  const flavor = (await make(owner, 'GET', `${compute}/flavors`, undefined)).flavors[0].id as string
  const server = { name: 'own', flavorRef: flavor, imageRef: (await make(owner, 'GET', '/image/v2/images?visibility=public', undefined)).images[0].id, networks: [{ uuid: network_id }], metadata: { own: 'yes' }, tags: ['own'] }
  has.server_id = (await make(owner, 'POST', `${compute}/servers`, { server })).server.id
  await until(`${compute}/servers/${has.server_id}`, 'server', 'ACTIVE')
  has.server_group_id = (await make(owner, 'POST', `${compute}/os-server-groups`, { server_group: { name: 'own', policy: 'affinity' } })).server_group.id
  has.keypair_name = (await make(owner, 'POST', `${compute}/os-keypairs`, { keypair: { name: 'own-key-of-owner' } }, { 'openstack-api-version': 'compute 2.1' })).keypair.name
  const attached = (await make(owner, 'POST', `${volume}/volumes`, { volume: { size: 1 } })).volume.id as string
  await until(`${volume}/volumes/${attached}`, 'volume', 'available')
  await make(owner, 'POST', `${compute}/servers/${has.server_id}/os-volume_attachments`, { volumeAttachment: { volumeId: attached } })
  await until(`${volume}/volumes/${attached}`, 'volume', 'in-use')
  has['nova:volume_id'] = attached
  has.attachment_id = (await make(owner, 'GET', `${volume}/attachments`, undefined)).attachments[0].id

  const identity = '/identity/v3'
  has.credential_id = (await make(owner, 'POST', `${identity}/credentials`, { credential: { type: 'cert', user_id: owner.user, project_id: owner.project, blob: 'x' } })).credential.id
  has.application_credential_id = (await make(owner, 'POST', `${identity}/users/${owner.user}/application_credentials`, { application_credential: { name: 'own' } })).application_credential.id
  has['OS-EC2/credential_id'] = (await make(owner, 'POST', `${identity}/users/${owner.user}/credentials/OS-EC2`, { tenant_id: owner.project })).credential.access
  has.trust_id = (await make(owner, 'POST', `${identity}/OS-TRUST/trusts`, { trust: { trustor_user_id: owner.user, trustee_user_id: admin.user, impersonation: false, project_id: owner.project, roles: [{ name: 'member' }] } })).trust.id

  const store = `/object-store/v1/AUTH_${owner.project}`
  await make(owner, 'PUT', `${store}/own`, undefined)
  await make(owner, 'PUT', `${store}/own/thing`, 'bytes of the owner')
  return { ...has, container: 'own', object: 'thing' }
}
