/** The figures of `ondol bench`: each does one thing to the cloud and says what it took. */
import { type Measured, measure, send, type Subject } from './subject.ts'

export interface Session {
  cloud: Subject
  bare: Subject
  url: string
  token: string
  /** Headers with the token and JSON. */
  headers: Record<string, string>
  json(method: string, path: string, body?: unknown): Promise<Record<string, never>>
  network: string
  image: string
}

export interface Figure {
  name: string
  run(session: Session): Promise<Measured & { note?: string }>
}

const get =
  (name: string, count: number, concurrency: number, path: (session: Session) => Promise<string> | string): Figure => ({
    name,
    async run(session) {
      const target = session.url + (await path(session))
      const first = await send('GET', target, session.headers)
      if (first.status !== 200) throw new Error(`${target} answered ${first.status}: ${first.body.toString().slice(0, 200)}`)
      const own = await measure(session.cloud, count, concurrency, async () => {
        const answer = await send('GET', target, session.headers)
        if (answer.status !== 200) throw new Error(`${target} answered ${answer.status}`)
      })
      // The same bytes from a server that does nothing: what share of the runtime's speed is left.
      await session.bare.tell(first.body.toString())
      const bare = await measure(session.bare, count, concurrency, async () => void (await send('GET', String(session.bare.ready.url))))
      return { ...own, note: `${((bare.cpu_ms_per_op / own.cpu_ms_per_op) * 100).toFixed(0)} % of a bare server's speed, ${first.body.length} bytes` }
    },
  })

export const figures: readonly Figure[] = [
  {
    name: 'another startCloud in one process',
    async run({ cloud }) {
      const times: number[] = []
      const before = await cloud.usage()
      for (let i = 0; i < 5; i++) times.push(Number((await cloud.tell('again')).ms))
      const after = await cloud.usage()
      times.sort((a, b) => a - b)
      return { operations: 5, wall_ms: times.reduce((sum, one) => sum + one, 0), cpu_ms_per_op: (after.cpu_ms - before.cpu_ms) / 5, per_second: 1000 / times[2]!, p50_ms: times[2]!, p99_ms: times[4]! }
    },
  },
  {
    name: 'token validate',
    async run(session) {
      const headers = { ...session.headers, 'x-subject-token': session.token }
      const target = `${session.url}/identity/v3/auth/tokens`
      const first = await send('GET', target, headers)
      const own = await measure(session.cloud, 4000, 8, async () => {
        const answer = await send('GET', target, headers)
        if (answer.status !== 200) throw new Error(`token validation answered ${answer.status}`)
      })
      await session.bare.tell(first.body.toString())
      const bare = await measure(session.bare, 4000, 8, async () => void (await send('GET', String(session.bare.ready.url))))
      return { ...own, note: `${((bare.cpu_ms_per_op / own.cpu_ms_per_op) * 100).toFixed(0)} % of a bare server's speed` }
    },
  },
  {
    name: 'token issue',
    run: (session) =>
      measure(session.cloud, 40, 4, async () => {
        const { username, password, project } = session.cloud.ready
        const domain = { name: 'Default' }
        const answer = await send(
          'POST',
          `${session.url}/identity/v3/auth/tokens`,
          { 'content-type': 'application/json' },
          JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password } } }, scope: { project: { name: project, domain } } } }),
        )
        if (answer.status !== 201) throw new Error(`token issue answered ${answer.status}`)
      }),
  },
  get('flavors detail', 2000, 8, () => '/compute/v2.1/flavors/detail'),
  get('network list', 2000, 8, () => '/networking/v2.0/networks'),
  get('image show', 2000, 8, (session) => `/image/v2/images/${session.image}`),
  get('network show', 2000, 8, (session) => `/networking/v2.0/networks/${session.network}`),
  get('placement candidates', 500, 4, () => '/placement/allocation_candidates?resources=VCPU:1,MEMORY_MB:512,DISK_GB:1'),
  {
    name: 'network subnet port cycle',
    run: (session) =>
      measure(session.cloud, 100, 1, async (i) => {
        const { network } = (await session.json('POST', '/networking/v2.0/networks', { network: { name: `bench-${i}` } })) as never as { network: { id: string } }
        const { subnet } = (await session.json('POST', '/networking/v2.0/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.200.0.0/24' } })) as never as { subnet: { id: string } }
        const { port } = (await session.json('POST', '/networking/v2.0/ports', { port: { network_id: network.id } })) as never as { port: { id: string } }
        await session.json('DELETE', `/networking/v2.0/ports/${port.id}`)
        await session.json('DELETE', `/networking/v2.0/subnets/${subnet.id}`)
        await session.json('DELETE', `/networking/v2.0/networks/${network.id}`)
      }),
  },
  {
    name: 'ports list 1000',
    async run(session) {
      const { network } = (await session.json('POST', '/networking/v2.0/networks', { network: { name: 'bench-ports' } })) as never as { network: { id: string } }
      await session.json('POST', '/networking/v2.0/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.201.0.0/16' } })
      for (let i = 0; i < 10; i++) await session.json('POST', '/networking/v2.0/ports', { ports: Array.from({ length: 100 }, () => ({ network_id: network.id })) })
      const target = `${session.url}/networking/v2.0/ports?network_id=${network.id}`
      return measure(session.cloud, 10, 1, async () => void (await send('GET', target, session.headers)))
    },
  },
  {
    name: 'server create to ACTIVE and delete',
    run: (session) =>
      measure(session.cloud, 100, 4, async (i) => {
        const id = await makeServer(session, `bench-${i}`)
        await until(session, id, (status) => status === 'ACTIVE')
        await session.json('DELETE', `/compute/v2.1/servers/${id}`)
        await until(session, id, (status) => status === 'gone')
      }),
  },
  {
    name: 'server create accepted',
    async run(session) {
      const made: string[] = []
      const own = await measure(session.cloud, 100, 1, async (i) => {
        made.push(await makeServer(session, `accept-${i}`))
      })
      for (const id of made) await session.json('DELETE', `/compute/v2.1/servers/${id}`)
      for (const id of made) await until(session, id, (status) => status === 'gone')
      return own
    },
  },
  {
    name: '1000 servers made for the list',
    async run(session) {
      const began = performance.now()
      const before = await session.cloud.usage()
      for (let i = 0; i < 10; i++) await session.json('POST', '/compute/v2.1/servers', { server: { name: 'burst', min_count: 100, max_count: 100, flavorRef: '42', imageRef: session.image, networks: [{ uuid: session.network }] } })
      let counts: Record<string, number> = {}
      do {
        await new Promise((resolve) => setTimeout(resolve, 100))
        counts = await statuses(session)
      } while ((counts.BUILD ?? 0) > 0)
      const wall_ms = performance.now() - began
      const after = await session.cloud.usage()
      return { operations: 1000, wall_ms, cpu_ms_per_op: (after.cpu_ms - before.cpu_ms) / 1000, per_second: 1000 / (wall_ms / 1000), p50_ms: 0, p99_ms: 0, note: Object.entries(counts).map(([status, count]) => `${count} ${status}`).join(', ') }
    },
  },
  {
    name: 'servers detail 1000',
    run: (session) => measure(session.cloud, 10, 1, async () => void (await send('GET', `${session.url}/compute/v2.1/servers/detail?limit=1000`, session.headers))),
  },
  {
    name: 'server get',
    async run(session) {
      const { servers } = (await session.json('GET', '/compute/v2.1/servers?limit=1')) as never as { servers: { id: string }[] }
      const id = servers[0]?.id ?? (await makeServer(session, 'bench-get'))
      await until(session, id, (status) => status !== 'BUILD')
      return get('server get', 2000, 8, () => `/compute/v2.1/servers/${id}`).run(session)
    },
  },
  {
    name: 'image upload 64 MiB',
    async run(session) {
      const bytes = Buffer.alloc(64 * 2 ** 20, 7)
      return measure(session.cloud, 5, 1, async () => {
        const { id } = (await session.json('POST', '/image/v2/images', { name: 'bench', disk_format: 'raw', container_format: 'bare' })) as never as { id: string }
        const answer = await send('PUT', `${session.url}/image/v2/images/${id}/file`, { ...session.headers, 'content-type': 'application/octet-stream' }, bytes)
        if (answer.status !== 204) throw new Error(`upload answered ${answer.status}`)
        await session.json('DELETE', `/image/v2/images/${id}`)
      })
    },
  },
  {
    name: 'image download 64 MiB',
    async run(session) {
      const { id } = (await session.json('POST', '/image/v2/images', { name: 'bench', disk_format: 'raw', container_format: 'bare' })) as never as { id: string }
      await send('PUT', `${session.url}/image/v2/images/${id}/file`, { ...session.headers, 'content-type': 'application/octet-stream' }, Buffer.alloc(64 * 2 ** 20, 7))
      return measure(session.cloud, 10, 1, async () => {
        const answer = await send('GET', `${session.url}/image/v2/images/${id}/file`, session.headers)
        if (answer.body.length !== 64 * 2 ** 20) throw new Error('the download is short')
      })
    },
  },
  {
    name: 'volume create to available and delete',
    run: (session) =>
      measure(session.cloud, 100, 4, async (i) => {
        const { volume } = (await session.json('POST', '/volume/v3/volumes', { volume: { name: `bench-${i}`, size: 1 } })) as never as { volume: { id: string } }
        for (;;) {
          const { volume: now } = (await session.json('GET', `/volume/v3/volumes/${volume.id}`)) as never as { volume: { status: string } }
          if (now.status === 'available') break
          if (now.status === 'error') throw new Error('the volume went to error')
        }
        await session.json('DELETE', `/volume/v3/volumes/${volume.id}`)
      }),
  },
]

export async function makeServer(session: Session, name: string): Promise<string> {
  const { server } = (await session.json('POST', '/compute/v2.1/servers', { server: { name, flavorRef: '42', imageRef: session.image, networks: [{ uuid: session.network }] } })) as never as { server: { id: string } }
  return server.id
}

async function statuses(session: Session): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  const { servers } = (await session.json('GET', '/compute/v2.1/servers/detail?name=burst&limit=1000')) as never as { servers: { status: string }[] }
  for (const { status } of servers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

async function until(session: Session, id: string, done: (status: string) => boolean): Promise<void> {
  for (let wait = 1; ; wait = Math.min(50, wait * 2)) {
    const answer = await send('GET', `${session.url}/compute/v2.1/servers/${id}`, session.headers)
    const status = answer.status === 404 ? 'gone' : (JSON.parse(answer.body.toString()) as { server: { status: string } }).server.status
    if (done(status)) return
    if (status === 'ERROR') throw new Error(`server ${id} went to ERROR: ${answer.body.toString().slice(0, 600)}`)
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}
