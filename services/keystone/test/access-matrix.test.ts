/**
 * Who may do what: every operation that needs a token, asked by every persona about what is its own domain's and what is
 * another's. The answers stand in access-matrix.txt; a change there is a change of what users may do, and is to be reviewed as that.
 * `UPDATE_GOLDEN=1` writes it anew. Nothing is changed by the asking: the first rule that allows ends the request.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { listen } from '#base/http/server.ts'
import { type KeystoneKit, keystoneKit } from './kit.ts'

const GOLDEN = new URL('./access-matrix.txt', import.meta.url)

test('the matrix of role, scope and operation is the one that was reviewed', async () => {
  const k = await keystoneKit()
  const served = await listen(k.keystone.handler, { host: '127.0.0.1', port: 0 })
  try {
    const made = await matrix(k, served.url)
    if (process.env.UPDATE_GOLDEN) await writeFile(GOLDEN, made)
    assert.deepEqual(made.split('\n'), (await readFile(GOLDEN, 'utf8')).split('\n'))
  } finally {
    await served.close()
    await k.close()
  }
})

type Things = Record<string, string>

async function matrix(k: KeystoneKit, url: string): Promise<string> {
  const admin = await k.admin()
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await k.ask(method, path, { token: admin, ...(body ? { body } : {}) })
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`)
    return answer.json
  }
  const roleIds = new Map<string, string>((await ask('GET', '/v3/roles')).roles.map((role: { name: string; id: string }) => [role.name, role.id]))
  const world = async (name: string): Promise<Things> => {
    const domain_id = (await ask('POST', '/v3/domains', { domain: { name } })).domain.id
    const project_id = (await ask('POST', '/v3/projects', { project: { name, domain_id } })).project.id
    const user_id = (await ask('POST', '/v3/users', { user: { name, domain_id, password: 'x' } })).user.id
    const group_id = (await ask('POST', '/v3/groups', { group: { name, domain_id } })).group.id
    const credential_id = (await ask('POST', '/v3/credentials', { credential: { type: 'cert', user_id, blob: 'x' } })).credential.id
    const service_id = (await ask('POST', '/v3/services', { service: { type: name } })).service.id
    const endpoint_id = (await ask('POST', '/v3/endpoints', { endpoint: { service_id, interface: 'public', url: 'http://x' } })).endpoint.id
    const registered = (await ask('POST', '/v3/registered_limits', { registered_limits: [{ service_id, resource_name: 'r', default_limit: 1 }] })).registered_limits[0].id
    const limit_id = (await ask('POST', '/v3/limits', { limits: [{ service_id, resource_name: 'r', project_id, resource_limit: 1 }] })).limits[0].id
    const role_id = roleIds.get('member')!
    await ask('PUT', `/v3/projects/${project_id}/users/${user_id}/roles/${role_id}`)
    const access = (await ask('POST', `/v3/users/${user_id}/credentials/OS-EC2`, { tenant_id: project_id })).credential.access
    return { domain_id, project_id, user_id, group_id, credential_id, ec2: access, service_id, endpoint_id, registered_limit_id: registered, limit_id, role_id, prior_role_id: role_id, implies_role_id: roleIds.get('reader')!, region_id: 'RegionOne', tag: 't', group: 'identity', option: 'driver', id: 'i', idp_id: 'i', protocol_id: 'p' }
  }
  const own = await world('own')
  const foreign = await world('foreign')

  const personas = new Map<string, string>()
  const persona = async (scopeName: string, scope: object, path: (user: string, role: string) => string, roles: string[]) => {
    for (const role of roles) {
      const { user } = await ask('POST', '/v3/users', { user: { name: `${scopeName}-${role}`, domain_id: own.domain_id, password: 'x' } })
      await ask('PUT', path(user.id, roleIds.get(role)!))
      personas.set(`${scopeName}-${role}`, await tokenFor(user.id, scope))
    }
  }
  const tokenFor = async (id: string, scope?: object): Promise<string> => {
    const answer = await k.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['password'], password: { user: { id, password: 'x' } } }, ...(scope ? { scope } : {}) } } })
    assert.equal(answer.status, 201, answer.text)
    return String(answer.headers['x-subject-token'])
  }
  await persona('system', { system: { all: true } }, (user, role) => `/v3/system/users/${user}/roles/${role}`, ['admin', 'member', 'reader'])
  await persona('domain', { domain: { id: own.domain_id } }, (user, role) => `/v3/domains/${own.domain_id}/users/${user}/roles/${role}`, ['admin', 'manager', 'member', 'reader'])
  await persona('project', { project: { id: own.project_id } }, (user, role) => `/v3/projects/${own.project_id}/users/${user}/roles/${role}`, ['admin', 'manager', 'member', 'reader', 'service'])
  personas.set('owner', await tokenFor(own.user_id!, { project: { id: own.project_id } }))
  personas.set('unscoped', await tokenFor(own.user_id!))

  const judge = k.kit.parts.authorizer
  const check = judge.check.bind(judge)
  judge.check = (rule, target, context) => {
    if (!check(rule, target, context)) return false
    throw new Fault('gone', `${ALLOWED}${rule}`)
  }
  const lines: string[] = []
  for (const route of k.keystone.routes) {
    if (route.access === 'public' || route.method === 'HEAD') continue
    const rows: string[] = []
    for (const [where, things] of [['own', own], ['foreign', foreign]] as const) {
      const path = route.path.replaceAll(/\{(\w+)\}/g, (_, key: string) => (route.path.includes('OS-EC2') && key === 'credential_id' ? things.ec2! : (things[key] ?? 'none')))
      const body = bodyFor(route.path, things)
      const cells = await Promise.all([...personas].map(async ([name, token]) => {
        const subject = route.path === '/v3/auth/tokens' ? personas.get(where === 'own' ? name : 'system-admin')! : undefined
        const answer = await fetch(url + path, {
          method: route.method,
          headers: { 'x-auth-token': token, 'content-type': 'application/json', ...(subject ? { 'x-subject-token': subject } : {}) },
          ...(route.method === 'GET' || route.method === 'DELETE' ? {} : { body: JSON.stringify(body) }),
        })
        const text = await answer.text()
        assert.ok(answer.status < 500 || answer.status === 501, `${route.method} ${path}: ${text}`)
        return answer.status === 410 && text.includes(ALLOWED) ? 'ok' : String(answer.status)
      }))
      rows.push(cells.map((cell) => cell.padEnd(3)).join(' ').trimEnd())
    }
    const operation = `${route.method} ${route.path}`
    const [ours, theirs] = rows
    if (ours === theirs) lines.push(line(operation, 'any', ours!))
    else lines.push(line(operation, 'own', ours!), line('', 'foreign', theirs!))
  }
  return `${legend([...personas.keys()])}${lines.join('\n')}\n`
}

const ALLOWED = 'allowed by '
const WIDTH = 96

function line(operation: string, where: string, cells: string): string {
  return `${operation.padEnd(WIDTH)} ${where.padEnd(7)} ${cells}`
}

/** The names of the personas stand on end above their columns. */
function legend(names: readonly string[]): string {
  const tall = Math.max(...names.map((name) => name.length))
  const head = Array.from({ length: tall }, (_, i) => line('', '', names.map((name) => (name.padStart(tall)[i] ?? ' ').padEnd(3)).join(' ')).trimEnd())
  return [
    'Who may do what: every operation of Keystone that needs a token, by the scope and the role of who asks.',
    'ok: policy allows it. 403: refused. Another status: what answers before policy is asked, or beside it.',
    'own: about what is in the domain and project of who asks; foreign: about what is in another domain; any: the same for both.',
    '',
    ...head,
    '',
  ].join('\n')
}

/** A body about something of that world, for rules that read it. */
function bodyFor(path: string, { domain_id, user_id }: Things): object {
  return { user: { domain_id }, group: { domain_id }, project: { domain_id }, credential: { user_id }, trust: { trustor_user_id: user_id, trustee_user_id: user_id }, config: { identity: { driver: 'sql' } }, path }
}
