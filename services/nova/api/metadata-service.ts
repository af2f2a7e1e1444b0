/**
 * The metadata service, as guests see it through Neutron: OpenStack's documents and EC2's tree. Who asks is what Neutron's agent says and
 * proves; nothing of another server is ever answered (A17).
 */
import { forbidden, notFound, unauthenticated } from '#base/fault.ts'
import { readBody } from '#base/http/message.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { METADATA_PATH, signatureHolds } from '../contract/metadata.ts'
import { EC2_VERSIONS, ec2Listing, ec2Tree, metaData, networkData, OPENSTACK_VERSIONS, type Tree } from '../core/metadata.ts'
import { guestFacts } from '../flows/guest.ts'
import { vendorData2 } from '../flows/vendordata.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { patchServer, serverById } from '../store/servers.ts'
import type { NicInfo, ServerPrivate, ServerRow } from '../store/tables.ts'

export function metadataRoutes(nova: Nova): Route[] {
  const get = (path: string): Route => route({ method: 'GET', path, name: 'metadata-service.read', access: 'optional', bodyKind: 'none', status: 200, handle: (rq) => read(nova, rq) })
  return [
    get(METADATA_PATH),
    get(`${METADATA_PATH}/{path+}`),
    route({ method: 'POST', path: `${METADATA_PATH}/{path+}`, name: 'metadata-service.write', access: 'optional', bodyKind: 'raw', status: 200, handle: (rq) => putPassword(nova, rq) }),
  ]
}

const text = (body: string | Buffer): Reply => ({ headers: { 'content-type': 'text/plain; charset=UTF-8' }, body })
const json = (value: unknown): Reply => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) })
const nothing = () => notFound('There is no such metadata.')

async function askingServer(nova: Nova, rq: Rq<unknown>): Promise<ServerRow> {
  const { headers } = rq.http
  const id = headers['x-instance-id'] ?? ''
  const trusted = rq.context.roles.includes('service') || rq.context.roles.includes('admin')
  if (id === '') throw unauthenticated('X-Instance-ID is missing.')
  if (!trusted && !signatureHolds(id, headers['x-instance-id-signature'] ?? '', nova.config.metadata_proxy_shared_secret)) throw forbidden('Invalid proxy request signature.')
  const row = await serverById(nova.db, id)
  const tenant = headers['x-tenant-id']
  if (!row || row.deleted === 1 || (tenant !== undefined && tenant !== row.project_id)) throw nothing()
  return row
}

async function read(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const server = await askingServer(nova, rq)
  const parts = (rq.params.path ?? '').split('/').filter(Boolean)
  if (parts.length === 0) return text(EC2_VERSIONS.join('\n'))
  return parts[0] === 'openstack' ? openstack(nova, server, parts.slice(1)) : ec2(nova, server, parts)
}

const factsOf = async (nova: Nova, server: ServerRow) => guestFacts(nova, { server, devices: await blockDevicesOf(nova.db, server.id), nics: JSON.parse(server.network_info) as NicInfo[] })

async function openstack(nova: Nova, server: ServerRow, [version, ...rest]: string[]): Promise<Reply> {
  if (version === undefined) return text(OPENSTACK_VERSIONS.join('\n'))
  if (!(OPENSTACK_VERSIONS as readonly string[]).includes(version)) throw nothing()
  const [name, index] = rest
  const has = (since: string): boolean => version >= since
  switch (name) {
    case undefined: {
      const names = ['meta_data.json', ...(server.user_data === null ? [] : ['user_data']), ...(has('2013-04-04') ? ['password'] : []), ...(has('2013-10-17') ? ['vendor_data.json'] : []), ...(has('2015-10-15') ? ['network_data.json'] : []), ...(has('2016-10-06') ? ['vendor_data2.json'] : [])]
      return text(names.join('\n'))
    }
    case 'meta_data.json':
      return json(metaData(await factsOf(nova, server), nova.world.random.bytes(512)))
    case 'network_data.json':
      if (!has('2015-10-15')) throw nothing()
      return json(networkData(await factsOf(nova, server)))
    case 'user_data':
      if (server.user_data === null) throw nothing()
      return { headers: { 'content-type': 'application/octet-stream' }, body: Buffer.from(server.user_data, 'base64') }
    case 'vendor_data.json':
      return json(nova.config.vendordata)
    case 'vendor_data2.json':
      if (!has('2016-10-06')) throw nothing()
      return json(await vendorData2(nova, server))
    case 'password':
      return text((JSON.parse(server.private) as ServerPrivate).password ?? '')
    case 'content': {
      const file = (JSON.parse(server.private) as ServerPrivate).injected_files?.[Number(index)]
      if (!file) throw nothing()
      return { headers: { 'content-type': 'application/octet-stream' }, body: Buffer.from(file.contents, 'base64') }
    }
    default:
      throw nothing()
  }
}

async function ec2(nova: Nova, server: ServerRow, [version, ...rest]: string[]): Promise<Reply> {
  if (!(EC2_VERSIONS as readonly string[]).includes(version!)) throw nothing()
  const [kind, ...path] = rest
  if (kind === undefined) return text(server.user_data === null ? 'meta-data/' : 'meta-data/\nuser-data')
  if (kind === 'user-data' && path.length === 0) {
    if (server.user_data === null) throw nothing()
    return text(Buffer.from(server.user_data, 'base64'))
  }
  if (kind !== 'meta-data') throw nothing()
  let at: Tree = ec2Tree(await factsOf(nova, server))
  for (const step of path) {
    if (typeof at === 'string' || !Object.hasOwn(at, step) || step.startsWith('_')) throw nothing()
    at = at[step]!
  }
  return text(ec2Listing(at))
}

/** The guest puts up its password once, encrypted with its owner's key; only its owner can clear it. */
async function putPassword(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const server = await askingServer(nova, rq)
  if (!/^openstack\/[^/]+\/password$/.test(rq.params.path ?? '')) throw nothing()
  const body = await readBody(rq.http.body, 1_020)
  const own = JSON.parse(server.private) as ServerPrivate
  if (own.password) return { status: 409, ...text('A password is set already.') }
  if (!body) return { status: 400, ...text('The password is too long.') }
  await patchServer(nova.db, server.id, { private: JSON.stringify({ ...own, password: body.toString() }) })
  return text('')
}
