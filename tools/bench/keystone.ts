/**
 * What identity costs, by Keystone's real handlers on SQLite without a socket: CPU per operation beside Zed's, logins beside what their hash alone allows,
 * and whether others wait for them, long lists, and SQL statements per operation.
 */
import { randomUUID } from 'node:crypto'
import { hashPassword, verifyPassword } from '#keystone/core/password-hash.ts'
import { keystoneConfig } from '#keystone/config.ts'
import { type KeystoneKit, keystoneKit } from '#keystone/test/kit.ts'
import { ZED_CPU_MS } from './zed.ts'

type Say = (line: string) => void

const HASHING = keystoneConfig().password_hashing
const DEFAULT = { id: 'default' }
const loginBody = (name: string, password: string, project: string): string =>
  JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name, domain: DEFAULT, password } } }, scope: { project: { name: project, domain: DEFAULT } } } })

export async function measureKeystone(say: Say): Promise<Record<string, unknown>> {
  return { operations: await operations(say), logins: await logins(say), lists: await lists(say) }
}

interface Bench {
  k: KeystoneKit
  statements(): number
  call(status: number, method: string, target: string, headers?: Record<string, string>, body?: string): () => Promise<string>
}

async function bench<T>(config: Parameters<typeof keystoneKit>[0], run: (bench: Bench) => Promise<T>): Promise<T> {
  let count = 0
  const k = await keystoneKit(config, undefined, () => void count++)
  const call: Bench['call'] = (status, method, target, headers = {}, body) => async () => {
    const [path = '', query = ''] = target.split('?')
    const answer = await k.keystone.handler({ method, path, query, headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, body, origin: 'http://127.0.0.1:5000', remote: 'local' })
    if (answer.status !== status) throw new Error(`${method} ${target} answered ${answer.status}: ${String(answer.body).slice(0, 200)}`)
    return String(answer.body ?? '')
  }
  try {
    return await run({ k, statements: () => count, call })
  } finally {
    await k.close()
  }
}

const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 0)

async function latencies(rounds: number, work: () => Promise<unknown>): Promise<{ p50: number; p99: number }> {
  const took: number[] = []
  for (let i = 0; i < rounds; i++) {
    const began = performance.now()
    await work()
    took.push(performance.now() - began)
  }
  took.sort((a, b) => a - b)
  return { p50: took[Math.floor(rounds * 0.5)]!, p99: took[Math.floor(rounds * 0.99)]! }
}

async function operations(say: Say): Promise<Record<string, unknown>> {
  const results: Record<string, unknown> = {}
  await bench({}, async ({ k, statements, call }) => {
    const measure = async (name: string, rounds: number, work: () => Promise<unknown>, zed?: number): Promise<void> => {
      for (let i = 0; i < rounds / 4; i++) await work()
      let least = Number.POSITIVE_INFINITY
      for (let i = 0; i < 4; i++) {
        const at = statements()
        await work()
        least = Math.min(least, statements() - at)
      }
      const before = process.cpuUsage()
      for (let i = 0; i < rounds; i++) await work()
      const { user, system } = process.cpuUsage(before)
      const us = (user + system) / rounds
      results[name] = { cpu_us: us, statements: least, ...(zed ? { zed_cpu_ms: zed, ratio: (zed * 1000) / us } : {}) }
      say(`${us.toFixed(1).padStart(8)} µs CPU ${String(least).padStart(3)} SQL  ${name}${zed ? ` (Zed ${zed} ms, ${((zed * 1000) / us).toFixed(0)} ×)` : ''}`)
    }
    const token = await k.admin()
    const own = { 'x-auth-token': token }
    let epoch = 1_000
    const change = (): Promise<unknown> => k.kit.db.as<{ keystone_epochs: { name: string; value: number } }>().query.updateTable('keystone_epochs').set({ value: epoch++ }).where('name', '=', 'judgement').execute()
    const made = async (path: string, noun: string, body: object): Promise<string> => (JSON.parse(await call(201, 'POST', path, own, JSON.stringify({ [noun]: body }))()) as Record<string, { id: string }>)[noun]!.id
    const user = await made('/v3/users', 'user', { name: 'one' })
    const project = await made('/v3/projects', 'project', { name: 'one' })
    const role = await made('/v3/roles', 'role', { name: 'one' })
    const zed = ZED_CPU_MS['token validate']!
    await measure('validate a token that is in memory', 20_000, () => k.keystone.validateToken(token, ''), zed)
    await measure('GET /v3/auth/tokens', 20_000, call(200, 'GET', '/v3/auth/tokens', { ...own, 'x-subject-token': token }), zed)
    await measure('validate a token after something changed (with the change)', 2_000, async () => {
      await change()
      await k.keystone.validateToken(token, '')
    })
    await measure('the change alone', 2_000, change)
    await measure('issue a token without a password', 2_000, () => k.keystone.issueFor('admin', 'admin'))
    await measure('POST /v3/auth/tokens, the hash at its cheapest', 2_000, call(201, 'POST', '/v3/auth/tokens', {}, loginBody('admin', 'admin-secret', 'admin')))
    for (const path of [`/v3/users/${user}`, `/v3/projects/${project}`, `/v3/roles/${role}`, '/v3/users', '/v3/projects', '/v3/roles', '/v3/services', '/v3/endpoints', '/v3/groups', '/v3/domains', '/v3/role_assignments', '/v3/auth/projects', '/v3/credentials', '/v3/limits']) {
      await measure(`GET ${path.replace(/[0-9a-f]{32}/, '{id}')}`, 1_000, call(200, 'GET', path, own))
    }
    const grant = `/v3/projects/${project}/users/${user}/roles/${role}`
    await measure('grant a role and take it away', 300, async () => {
      await call(204, 'PUT', grant, own)()
      await call(204, 'DELETE', grant, own)()
    })
    await measure('make and delete a project', 300, async () => {
      await call(204, 'DELETE', `/v3/projects/${await made('/v3/projects', 'project', { name: randomUUID() })}`, own)()
    })
    await measure('make and delete a user', 300, async () => {
      await call(204, 'DELETE', `/v3/users/${await made('/v3/users', 'user', { name: randomUUID() })}`, own)()
    })
  })
  return results
}

/** Runs `work` so many times, `at_once` at a time; answers milliseconds of CPU (of all threads) for one, and how many were done in a second. */
async function rate(count: number, at_once: number, work: () => Promise<unknown>): Promise<{ cpu_ms: number; per_second: number }> {
  let next = 0
  const began = performance.now()
  const before = process.cpuUsage()
  await Promise.all(
    Array.from({ length: at_once }, async () => {
      while (next++ < count) await work()
    }),
  )
  const { user, system } = process.cpuUsage(before)
  return { cpu_ms: (user + system) / 1000 / count, per_second: (count * 1000) / (performance.now() - began) }
}

/** Logins at the default cost of the hash, four at a time, which is what the thread pool takes; and a validation that is asked for meanwhile. */
async function logins(say: Say): Promise<Record<string, unknown>> {
  return bench({ password_hashing: HASHING }, async ({ k, call }) => {
    const stored = await hashPassword('admin-secret', HASHING, Buffer.alloc(16, 1))
    const hash = (): Promise<unknown> => verifyPassword('admin-secret', stored)
    const login = call(201, 'POST', '/v3/auth/tokens', {}, loginBody('admin', 'admin-secret', 'admin'))
    const token = await k.admin()
    const validate = call(200, 'GET', '/v3/auth/tokens', { 'x-auth-token': token, 'x-subject-token': token })
    await rate(20, 4, login)
    // In turn, so that other load on the machine befalls both; what counts is the CPU, which it moves least.
    const rounds: { hash: Awaited<ReturnType<typeof rate>>; login: Awaited<ReturnType<typeof rate>> }[] = []
    for (let i = 0; i < 5; i++) rounds.push({ hash: await rate(60, 4, hash), login: await rate(60, 4, login) })
    const shareOf = (one: (typeof rounds)[number]): number => one.hash.cpu_ms / one.login.cpu_ms
    const middle = rounds.sort((one, other) => shareOf(one) - shareOf(other))[2]!
    const { algorithm, memory_kib, passes } = HASHING
    say(`a login: ${middle.login.cpu_ms.toFixed(1)} ms CPU, of which ${algorithm} (${memory_kib} KiB, ${passes} passes) alone takes ${middle.hash.cpu_ms.toFixed(1)} ms: ${(shareOf(middle) * 100).toFixed(0)} %; ${middle.login.per_second.toFixed(0)} a second, the hash alone ${middle.hash.per_second.toFixed(0)}`)
    await latencies(500, validate)
    const quiet = await latencies(2_000, validate)
    let busy = true
    const others = rate(400, 4, login).finally(() => (busy = false))
    const during: number[] = []
    while (busy) {
      const began = performance.now()
      await validate()
      during.push(performance.now() - began)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await others
    during.sort((a, b) => a - b)
    const loaded = { p50: during[Math.floor(during.length * 0.5)]!, p99: during[Math.floor(during.length * 0.99)]! }
    say(`a validation while others log in: p50 ${ms(loaded.p50)} ms, p99 ${ms(loaded.p99)} ms (${during.length}); without them p50 ${ms(quiet.p50)} ms, p99 ${ms(quiet.p99)} ms`)
    return { ...middle, share: shareOf(middle), validation: loaded, validation_quiet: quiet }
  })
}

const USERS = 10_000
const SIDE = 1_000

async function lists(say: Say): Promise<Record<string, unknown>> {
  return bench({}, async ({ k, statements, call }) => {
    const own = { 'x-auth-token': await k.admin() }
    const results: Record<string, unknown> = {}
    const measure = async (name: string, rounds: number, target: string, least: number): Promise<void> => {
      const work = call(200, 'GET', target, own)
      const text = await work()
      const at = statements()
      await work()
      const sql = statements() - at
      const lines = Object.values(JSON.parse(text) as Record<string, unknown>).find(Array.isArray)!.length
      if (lines < least) throw new Error(`${target} has ${lines} lines`)
      const found = await latencies(rounds, work)
      results[name] = { ...found, lines, statements: sql }
      say(`p50 ${ms(found.p50).padStart(6)} ms, p99 ${ms(found.p99).padStart(6)} ms ${String(sql).padStart(3)} SQL  ${name} (${lines} lines)`)
    }
    await fill(k)
    const marker = `u${String(USERS / 2).padStart(31, '0')}`
    await measure(`${USERS} users, a name that begins so, the first page of 100`, 300, '/v3/users?name__startswith=user-0&limit=100&sort_key=name', 100)
    await measure(`${USERS} users of a domain, a page of 100 from the middle`, 300, `/v3/users?domain_id=default&enabled=true&limit=100&marker=${marker}`, 100)
    await measure(`${USERS} users, one by name`, 300, '/v3/users?name=user-07777', 1)
    await measure(`effective, of one of ${SIDE} users over ${SIDE} projects`, 60, `/v3/role_assignments?effective&user.id=${id('u', 0)}`, SIDE)
    await measure(`effective, in one of ${SIDE} projects over ${SIDE} users`, 60, `/v3/role_assignments?effective&scope.project.id=${id('p', 0)}`, SIDE)
    await measure(`effective, with names, in one of ${SIDE} projects over ${SIDE} users`, 60, `/v3/role_assignments?effective&include_names&scope.project.id=${id('p', 0)}`, SIDE)
    await measure(`as granted, all`, 60, '/v3/role_assignments', SIDE)
    return results
  })
}

const id = (letter: string, n: number): string => letter + String(n).padStart(31, '0')

/** Users, a thousand of them in a group that holds a role in every one of a thousand projects (granted on the domain), and a grant for each alone. */
async function fill(k: KeystoneKit): Promise<void> {
  const member = (await k.ask('GET', '/v3/roles?name=reader', { token: await k.admin() })).json.roles[0].id as string
  const rows = {
    keystone_users: Array.from({ length: USERS }, (_, i) => ({
      id: id('u', i), domain_id: 'default', name: `user-${String(i).padStart(5, '0')}`, enabled: 1, default_project_id: null, options: '{}', extra: '{"email":"somebody@example.org"}',
      created_at: 0, last_active_at: null, failed_auth_count: 0, failed_auth_at: null, revoked_before: 0, federated: 0,
    })),
    keystone_projects: Array.from({ length: SIDE }, (_, i) => ({ id: id('p', i), name: `project-${i}`, domain_id: 'default', parent_id: 'default', is_domain: 0, enabled: 1, description: '', options: '{}', extra: '{}', revoked_before: 0 })),
    keystone_groups: [{ id: id('e', 0), domain_id: 'default', name: 'everybody', description: '', extra: '{}' }],
    keystone_memberships: Array.from({ length: SIDE }, (_, i) => ({ group_id: id('e', 0), user_id: id('u', i) })),
    keystone_assignments: [
      { actor_kind: 'group', actor_id: id('e', 0), target_kind: 'domain', target_id: 'default', role_id: member, inherited: 1 },
      ...Array.from({ length: SIDE }, (_, i) => ({ actor_kind: 'user', actor_id: id('u', i), target_kind: 'project', target_id: id('p', i), role_id: member, inherited: 0 })),
    ],
  }
  const db = k.kit.db.as<Record<string, Record<string, unknown>>>()
  await db.transaction(async (tx) => {
    for (const [table, all] of Object.entries(rows)) for (let i = 0; i < all.length; i += 200) await tx.query.insertInto(table).values(all.slice(i, i + 200)).execute()
  })
}
