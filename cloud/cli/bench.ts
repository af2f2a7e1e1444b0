/** `ondol bench`: what this cloud takes on this machine, beside what the real OpenStack Zed took. */
import { figures, type Session } from '../../tools/bench/figures.ts'
import { closeConnections, send, startSubject } from '../../tools/bench/subject.ts'
import { ZED_CPU_MS } from '../../tools/bench/zed.ts'
import { table } from './table.ts'

export async function bench(options: { json?: boolean; only?: string }): Promise<void> {
  const words = options.only?.split(',').map((word) => word.trim())
  const chosen = figures.filter((figure) => !words || words.some((word) => figure.name.includes(word)))
  const cloud = await startSubject('cloud-process.ts')
  const bare = await startSubject('bare-process.ts')
  const idle = await cloud.usage()
  const say = (text: string): void => void (options.json ? undefined : process.stdout.write(text))
  say(`start to a full catalog, seed included: ${Number(cloud.ready.since_start).toFixed(0)} ms from process start; idle memory ${idle.rss_mib.toFixed(0)} MiB\n`)
  const session = await openSession(cloud, bare)
  const results: Record<string, unknown>[] = [{ name: 'start', ms: cloud.ready.since_start }, { name: 'idle rss', mib: idle.rss_mib }]
  const rows: unknown[][] = []
  for (const figure of chosen) {
    try {
      const found = await figure.run(session)
      const zed = ZED_CPU_MS[figure.name]
      results.push({ name: figure.name, ...found, ...(zed ? { zed_cpu_ms: zed, ratio: zed / found.cpu_ms_per_op } : {}) })
      rows.push([figure.name, found.operations, found.cpu_ms_per_op.toFixed(3), zed ? `${(zed / found.cpu_ms_per_op).toFixed(0)} ×` : '', found.per_second.toFixed(0), found.p50_ms.toFixed(2), found.p99_ms.toFixed(2), found.note ?? ''])
    } catch (thrown) {
      results.push({ name: figure.name, error: thrown instanceof Error ? thrown.message : String(thrown) })
      rows.push([figure.name, '', '', '', '', '', '', `failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`])
    }
    say('.')
  }
  const after = await cloud.usage()
  closeConnections()
  await Promise.all([cloud.stop(), bare.stop()])
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 1)}\n`)
  else say(`\n${table(['FIGURE', 'N', 'CPU ms/op', 'ZED/OURS', '/s', 'p50 ms', 'p99 ms', 'NOTE'], rows)}memory after: ${after.rss_mib.toFixed(0)} MiB\n`)
}

async function openSession(cloud: Awaited<ReturnType<typeof startSubject>>, bare: Awaited<ReturnType<typeof startSubject>>): Promise<Session> {
  const url = String(cloud.ready.url)
  const { username, password, project } = cloud.ready
  const domain = { name: 'Default' }
  const issued = await send(
    'POST',
    `${url}/identity/v3/auth/tokens`,
    { 'content-type': 'application/json' },
    JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password } } }, scope: { project: { name: project, domain } } } }),
  )
  const token = String(issued.headers['x-subject-token'])
  const headers = { 'x-auth-token': token, 'content-type': 'application/json', 'openstack-api-version': 'placement 1.39' }
  const json: Session['json'] = async (method, path, body) => {
    const answer = await send(method, url + path, headers, body === undefined ? undefined : JSON.stringify(body))
    if (answer.status >= 400) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.body.toString().slice(0, 300)}`)
    return (answer.body.length === 0 ? {} : JSON.parse(answer.body.toString())) as Record<string, never>
  }
  const { network } = (await json('POST', '/networking/v2.0/networks', { network: { name: 'bench' } })) as never as { network: { id: string } }
  await json('POST', '/networking/v2.0/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.210.0.0/16' } })
  const projectId = (JSON.parse(issued.body.toString()) as { token: { project: { id: string } } }).token.project.id
  await json('PUT', `/compute/v2.1/os-quota-sets/${projectId}`, { quota_set: { instances: -1, cores: -1, ram: -1 } })
  await json('PUT', `/networking/v2.0/quotas/${projectId}`, { quota: { port: -1, network: -1, subnet: -1 } })
  await json('PUT', `/volume/v3/os-quota-sets/${projectId}`, { quota_set: { volumes: -1, gigabytes: -1 } }).catch(() => {})
  const { id: image } = (await json('POST', '/image/v2/images', { name: 'bench', disk_format: 'raw', container_format: 'bare' })) as never as { id: string }
  await send('PUT', `${url}/image/v2/images/${image}/file`, { ...headers, 'content-type': 'application/octet-stream' }, Buffer.alloc(1024))
  return { cloud, bare, url, token, headers, json, network: network.id, image }
}
