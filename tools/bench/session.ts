/** Logs in at the cloud under measurement and makes what the figures look at: a network, an image, quotas without limit. */
import type { Session } from './figures.ts'
import { send, type Subject } from './subject.ts'

export async function openSession(cloud: Subject, bare: Subject): Promise<Session> {
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
  // The default group lets its members in by their addresses, which every host with one of them must then know: a figure of its own.
  await json('POST', '/networking/v2.0/security-groups', { security_group: { name: 'bench' } })
  const projectId = (JSON.parse(issued.body.toString()) as { token: { project: { id: string } } }).token.project.id
  await json('PUT', `/compute/v2.1/os-quota-sets/${projectId}`, { quota_set: { instances: -1, cores: -1, ram: -1 } })
  await json('PUT', `/networking/v2.0/quotas/${projectId}`, { quota: { port: -1, network: -1, subnet: -1 } })
  await json('PUT', `/volume/v3/os-quota-sets/${projectId}`, { quota_set: { volumes: -1, gigabytes: -1 } }).catch(() => {})
  const { id: image } = (await json('POST', '/image/v2/images', { name: 'bench', disk_format: 'raw', container_format: 'bare' })) as never as { id: string }
  await send('PUT', `${url}/image/v2/images/${image}/file`, { ...headers, 'content-type': 'application/octet-stream' }, Buffer.alloc(1024))
  return { cloud, bare, url, token, headers, json, network: network.id, image }
}
