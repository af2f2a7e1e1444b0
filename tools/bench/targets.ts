/** The single reads that are held against a bare server: one object of each kind, and a token. */
import { send } from './subject.ts'
import { makeServer, type Session } from './figures.ts'

export interface Target {
  name: string
  url: string
  headers: Record<string, string>
}

type Made = Record<string, { id: string } | string>

export async function singleTargets(session: Session): Promise<Target[]> {
  const { url, token } = session
  const headers = { 'x-auth-token': token, accept: 'application/json', 'user-agent': 'ondol-bench' }
  const make = async (path: string, body: unknown, noun: string): Promise<string> => ((await session.json('POST', path, body)) as Made as Record<string, { id: string }>)[noun]!.id
  const server = await makeServer(session, 'bench-single')
  const volume = await make('/volume/v3/volumes', { volume: { name: 'bench-single', size: 1 } }, 'volume')
  const port = await make('/networking/v2.0/ports', { port: { network_id: session.network } }, 'port')
  const { token: facts } = JSON.parse((await send('GET', `${url}/identity/v3/auth/tokens`, { ...headers, 'x-subject-token': token })).body.toString()) as { token: { project: { id: string } } }
  for (;;) {
    const answer = await session.json('GET', `/compute/v2.1/servers/${server}`)
    if ((answer as unknown as { server: { status: string } }).server.status !== 'BUILD') break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return [
    { name: 'token validate', url: `${url}/identity/v3/auth/tokens`, headers: { ...headers, 'x-subject-token': token } },
    { name: 'project get', url: `${url}/identity/v3/projects/${facts.project.id}`, headers },
    { name: 'flavor get', url: `${url}/compute/v2.1/flavors/42`, headers },
    { name: 'server get', url: `${url}/compute/v2.1/servers/${server}`, headers },
    { name: 'server get 2.96', url: `${url}/compute/v2.1/servers/${server}`, headers: { ...headers, 'openstack-api-version': 'compute 2.96' } },
    { name: 'image get', url: `${url}/image/v2/images/${session.image}`, headers },
    { name: 'network get', url: `${url}/networking/v2.0/networks/${session.network}`, headers },
    { name: 'port get', url: `${url}/networking/v2.0/ports/${port}`, headers },
    { name: 'volume get', url: `${url}/volume/v3/volumes/${volume}`, headers },
  ]
}
