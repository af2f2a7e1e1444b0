/** A user of the simulated cloud, with a project of their own, who does one random thing at a time through the public APIs. */
import type { Random } from '#base/random.ts'
import type { Cloud } from '../start-cloud.ts'
import { emptyShelf } from './objects.ts'
import { actOnce, type Answer, type Hands, nothingYet } from './operations.ts'

export interface User {
  readonly project: string
  readonly hands: Hands
  /** One operation and its answer. */
  act(): Promise<Answer>
  /** A new token, should the run have been longer than one lives. */
  renew(): Promise<void>
  /** Asks as this user; throws what is not answered well. */
  get(path: string): Promise<unknown>
}

export async function openUser(cloud: Cloud, index: number, random: Random): Promise<User> {
  const admin = await login(cloud, cloud.credentials.admin.username, cloud.credentials.admin.password.reveal(), cloud.credentials.admin.project_name)
  const name = `sim-${index}`
  const project = (await ask(cloud, admin, 'POST', '/identity/v3/projects', { project: { name } })).json.project.id as string
  const user = (await ask(cloud, admin, 'POST', '/identity/v3/users', { user: { name, password: 'simulated', default_project_id: project } })).json.user.id as string
  const roles = (await ask(cloud, admin, 'GET', '/identity/v3/roles?name=member')).json.roles as { id: string }[]
  await ask(cloud, admin, 'PUT', `/identity/v3/projects/${project}/users/${user}/roles/${roles[0]!.id}`)
  await ask(cloud, admin, 'PUT', `/compute/v2.1/os-quota-sets/${project}`, { quota_set: { instances: 100, cores: 200, ram: -1 } })
  await ask(cloud, admin, 'PUT', `/volume/v3/os-quota-sets/${project}`, { quota_set: { volumes: 60, snapshots: 30, gigabytes: 200, backups: 20 } })
  await ask(cloud, admin, 'PUT', `/networking/v2.0/quotas/${project}`, { quota: { port: 400, floatingip: 20, network: 20 } })
  let token = await login(cloud, name, 'simulated', name)
  const image = ((await ask(cloud, token, 'GET', '/image/v2/images?name=ondol-guest')).json.images as { id: string }[])[0]!.id
  const net = (await ask(cloud, token, 'POST', '/networking/v2.0/networks', { network: { name } })).json.network.id as string
  const network = { id: net, subnet: (await ask(cloud, token, 'POST', '/networking/v2.0/subnets', { subnet: { network_id: net, ip_version: 4, cidr: '10.0.0.0/20' } })).json.subnet.id as string }

  const external = ((await ask(cloud, token, 'GET', '/networking/v2.0/networks?router:external=true')).json.networks as { id: string }[])[0]!.id
  const router = (await ask(cloud, token, 'POST', '/networking/v2.0/routers', { router: { name, external_gateway_info: { network_id: external } } })).json.router.id as string
  await ask(cloud, token, 'PUT', `/networking/v2.0/routers/${router}/add_router_interface`, { subnet_id: network.subnet })

  const at = (root: string, as: () => string) => async (method: string, path: string, body?: unknown): Promise<Answer> => ask(cloud, as(), method, `${root}${path}`, body)
  const me = (): string => token
  const hands: Hands = {
    name, random, image, network: network.id, external, own: nothingYet(),
    shelf: emptyShelf(),
    async store(method, path, { body, headers } = {}) {
      const response = await cloud.fetch(`/object-store/v1/AUTH_${project}${path}`, { method, headers: { 'x-auth-token': token, ...headers }, ...(body === undefined ? {} : { body }) })
      const json = { objects: Number(response.headers.get('x-container-object-count')), bytes: Number(response.headers.get('x-container-bytes-used')) }
      return { status: response.status, text: await response.text(), json, etag: (response.headers.get('etag') ?? '').replaceAll('"', '') }
    },
    nova: at('/compute/v2.1', me), cinder: at(`/volume/v3/${project}`, me), neutron: at('/networking/v2.0', me), glance: at('/image/v2', me), operator: at('/compute/v2.1', () => admin),
  }
  return {
    project,
    hands,
    act: () => actOnce(hands),
    async renew() {
      token = await login(cloud, name, 'simulated', name)
    },
    async get(path) {
      let answer = await ask(cloud, token, 'GET', path)
      if (answer.status === 401) {
        // The run was longer than a token lives.
        token = await login(cloud, name, 'simulated', name)
        answer = await ask(cloud, token, 'GET', path)
      }
      if (answer.status >= 300) throw new Error(`GET ${path} answered ${answer.status}: ${answer.text.slice(0, 300)}`)
      return answer.json as unknown
    },
  }
}

async function login(cloud: Cloud, user: string, password: string, project: string): Promise<string> {
  const domain = { name: 'Default' }
  const answer = await cloud.fetch('/identity/v3/auth/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: user, domain, password } } }, scope: { project: { name: project, domain } } } }),
  })
  const token = answer.headers.get('x-subject-token')
  if (!token) throw new Error(`The simulated user ${user} cannot log in: ${await answer.text()}`)
  return token
}

async function ask(cloud: Cloud, token: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await cloud.fetch(path, {
    method,
    headers: { 'x-auth-token': token, ...(path.startsWith('/volume/') ? { 'openstack-api-version': 'volume 3.44' } : {}), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, json: text.startsWith('{') ? JSON.parse(text) : undefined, text }
}
