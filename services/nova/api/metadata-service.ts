/**
 * The metadata service behind Neutron's agents. Who asks is the port, not a header of the guest: the caller proves itself by the HMAC or by
 * a service's token, and the server must belong to the project that the port belongs to (A17).
 */
import { forbidden, notFound } from '#base/fault.ts'
import { readBody } from '#base/http/message.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { METADATA_PATH, signatureHolds } from '../contract/metadata.ts'
import { EC2_VERSIONS, ec2Listing, ec2Tree, type GuestFacts, metaData, networkData, OPENSTACK_VERSIONS, type Tree } from '../core/metadata.ts'
import { guestFacts } from '../flows/guest.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { patchServer, serverById } from '../store/servers.ts'
import type { NicInfo, ServerPrivate, ServerRow } from '../store/tables.ts'

const MAX_PASSWORD = 4_096

export const metadataServiceRoutes = (nova: Nova): Route[] => [
  route({ method: 'GET', path: METADATA_PATH, name: 'metadata.root', access: 'optional', status: 200, handle: (rq) => answer(nova, rq as Rq<never>, '') }),
  route({ method: 'GET', path: `${METADATA_PATH}/{path+}`, name: 'metadata.show', access: 'optional', bodyKind: 'none', status: 200, handle: (rq) => answer(nova, rq as Rq<never>, rq.params.path!) }),
  route({ method: 'POST', path: `${METADATA_PATH}/openstack/{version}/password`, name: 'metadata.password', access: 'optional', bodyKind: 'raw', status: 200, handle: (rq) => takePassword(nova, rq as Rq<never>) }),
]

async function serverOf(nova: Nova, rq: Rq<never>): Promise<ServerRow> {
  const headers = rq.http.headers
  const id = headers['x-instance-id'] ?? ''
  const vouched = rq.context.roles.includes('service') || rq.allows('context_is_admin')
  if (!vouched && !signatureHolds(id, headers['x-instance-id-signature'] ?? '', nova.config.metadata_proxy_shared_secret)) throw forbidden('Invalid proxy request signature.')
  const server = await serverById(nova.db, id)
  if (!server || server.deleted !== 0 || server.project_id !== headers['x-tenant-id']) throw notFound('No such instance.')
  return server
}

const text = (body: string, type = 'text/plain; charset=UTF-8'): Reply => ({ headers: { 'content-type': type }, body })
const json = (value: unknown): Reply => text(JSON.stringify(value), 'application/json')

async function answer(nova: Nova, rq: Rq<never>, path: string): Promise<Reply> {
  const server = await serverOf(nova, rq)
  const parts = path.split('/').filter(Boolean)
  if (parts.length === 0) return text(EC2_VERSIONS.join('\n'))
  const facts = await guestFacts(nova, { server, nics: JSON.parse(server.network_info) as NicInfo[], devices: await blockDevicesOf(nova.db, server.id) })
  return parts[0] === 'openstack' ? openstack(server, facts, parts.slice(1), rq) : ec2(facts, parts)
}

function openstack(server: ServerRow, facts: GuestFacts, [version, ...rest]: string[], rq: Rq<never>): Reply {
  if (version === undefined) return text(OPENSTACK_VERSIONS.join('\n'))
  if (version === 'content') {
    const file = facts.files[Number(rest[0])]
    if (!file) throw notFound('No such file.')
    return { headers: { 'content-type': 'application/octet-stream' }, body: file.contents }
  }
  if (!(OPENSTACK_VERSIONS as readonly string[]).includes(version)) throw notFound('No such version.')
  const files: Record<string, () => Reply> = {
    'meta_data.json': () => json(metaData(facts, seedOf(server))),
    'network_data.json': () => json(networkData(facts)),
    'vendor_data.json': () => json(facts.vendordata),
    'vendor_data2.json': () => json({}),
    password: () => text((JSON.parse(server.private) as ServerPrivate & { password?: string }).password ?? ''),
    ...(facts.user_data ? { user_data: () => ({ headers: { 'content-type': 'application/octet-stream' }, body: facts.user_data! }) } : {}),
  }
  if (rest.length === 0) return text(Object.keys(files).join('\n'))
  const file = files[rest.join('/')]
  if (!file || rq.http.method !== 'GET') throw notFound('No such document.')
  return file()
}

/** The same bytes at every question, as on the config drive: made of the server's id. */
const seedOf = (server: ServerRow): Buffer => Buffer.concat(Array.from({ length: 32 }, () => Buffer.from(server.id.replaceAll('-', ''), 'hex')))

function ec2(facts: GuestFacts, [version, ...rest]: string[]): Reply {
  if (!(EC2_VERSIONS as readonly string[]).includes(version!)) throw notFound('No such version.')
  if (rest.length === 0) return text(facts.user_data ? 'meta-data/\nuser-data' : 'meta-data/')
  if (rest[0] === 'user-data') {
    if (!facts.user_data) throw notFound('This server has no user data.')
    return { headers: { 'content-type': 'application/octet-stream' }, body: facts.user_data }
  }
  if (rest[0] !== 'meta-data') throw notFound('No such document.')
  let at: Tree | undefined = ec2Tree(facts)
  for (const name of rest.slice(1)) at = typeof at === 'string' ? undefined : at?.[name]
  if (at === undefined) throw notFound('No such document.')
  return text(ec2Listing(at))
}

/** A guest may leave its encrypted password once. */
async function takePassword(nova: Nova, rq: Rq<never>): Promise<Reply> {
  const server = await serverOf(nova, rq)
  const bytes = await readBody(rq.http.body, MAX_PASSWORD)
  if (!bytes) throw forbidden('The password is too long.')
  const own = JSON.parse(server.private) as ServerPrivate & { password?: string }
  if (own.password) return { status: 409, body: '' }
  await patchServer(nova.db, server.id, { private: JSON.stringify({ ...own, password: bytes.toString() }) })
  return text('')
}
