/** A user of the simulated cloud, with a project of their own, who does one random thing at a time through the public APIs. */
import type { Random } from '#base/random.ts'
import type { Cloud } from '../start-cloud.ts'

export interface User {
  readonly project: string
  /** One operation; the class of its answer. */
  act(): Promise<string>
  /** Asks as this user; throws what is not answered well. */
  get(path: string): Promise<unknown>
}

interface Answer {
  status: number
  // Answers are JSON of many shapes.
  // oxlint-disable-next-line no-explicit-any
  json: any
  text: string
}

export async function openUser(cloud: Cloud, index: number, random: Random): Promise<User> {
  const admin = await login(cloud, cloud.credentials.admin.username, cloud.credentials.admin.password.reveal(), cloud.credentials.admin.project_name)
  const name = `sim-${index}`
  const project = (await ask(cloud, admin, 'POST', '/identity/v3/projects', { project: { name } })).json.project.id as string
  const user = (await ask(cloud, admin, 'POST', '/identity/v3/users', { user: { name, password: 'simulated', default_project_id: project } })).json.user.id as string
  const roles = (await ask(cloud, admin, 'GET', '/identity/v3/roles?name=member')).json.roles as { id: string }[]
  await ask(cloud, admin, 'PUT', `/identity/v3/projects/${project}/users/${user}/roles/${roles[0]!.id}`)
  await ask(cloud, admin, 'PUT', `/compute/v2.1/os-quota-sets/${project}`, { quota_set: { instances: 200, cores: 400, ram: -1 } })
  let token = await login(cloud, name, 'simulated', name)
  const image = ((await ask(cloud, token, 'GET', '/image/v2/images?name=ondol-guest')).json.images as { id: string }[])[0]!.id
  const network = (await ask(cloud, token, 'POST', '/networking/v2.0/networks', { network: { name } })).json.network.id as string
  await ask(cloud, token, 'POST', '/networking/v2.0/subnets', { subnet: { network_id: network, ip_version: 4, cidr: '10.0.0.0/20' } })

  const servers: string[] = []
  const volumes: string[] = []
  const pick = (list: string[]): string | undefined => list[random.below(Math.max(1, list.length))]
  const nova = (method: string, path: string, body?: unknown): Promise<Answer> => ask(cloud, token, method, `/compute/v2.1${path}`, body)
  const cinder = (method: string, path: string, body?: unknown): Promise<Answer> => ask(cloud, token, method, `/volume/v3/${project}${path}`, body)
  const boot = async (): Promise<Answer> => {
    const answer = await nova('POST', '/servers', { server: { name, flavorRef: '42', imageRef: image, networks: [{ uuid: network }] } })
    if (answer.status === 202) servers.push(answer.json.server.id as string)
    return answer
  }
  const act = async (): Promise<Answer> => {
    const server = pick(servers)
    const volume = pick(volumes)
    const dice = random.below(100)
    if (!server || dice < 25) return boot()
    const action = (body: object): Promise<Answer> => nova('POST', `/servers/${server}/action`, body)
    if (dice < 40) {
      servers.splice(servers.indexOf(server), 1)
      return nova('DELETE', `/servers/${server}`)
    }
    if (dice < 45) return action({ 'os-stop': null })
    if (dice < 50) return action({ 'os-start': null })
    if (dice < 55) return action({ reboot: { type: random.below(2) ? 'HARD' : 'SOFT' } })
    if (dice < 58) return action({ pause: null })
    if (dice < 61) return action({ unpause: null })
    if (dice < 65) return action({ resize: { flavorRef: '84' } })
    if (dice < 68) return action({ confirmResize: null })
    if (dice < 70) return action({ revertResize: null })
    if (dice < 72) return action({ rebuild: { imageRef: image } })
    if (dice < 74) return nova('GET', '/servers/detail')
    if (dice < 82 || !volume) {
      const answer = await cinder('POST', '/volumes', { volume: { size: 1, name } })
      if (answer.status === 202) volumes.push(answer.json.volume.id as string)
      return answer
    }
    if (dice < 90) return nova('POST', `/servers/${server}/os-volume_attachments`, { volumeAttachment: { volumeId: volume } })
    if (dice < 95) return nova('DELETE', `/servers/${server}/os-volume_attachments/${volume}`)
    const answer = await cinder('DELETE', `/volumes/${volume}`)
    if (answer.status === 202) volumes.splice(volumes.indexOf(volume), 1)
    return answer
  }
  return {
    project,
    async act() {
      const { status } = await act()
      return status < 300 ? '2xx' : String(status)
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
    headers: { 'x-auth-token': token, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, json: text.startsWith('{') ? JSON.parse(text) : undefined, text }
}
