/** What identity costs: CPU per operation, by the real handlers on SQLite, without a socket. `node tools/bench-keystone.ts`. */
import { type KeystoneKit, keystoneKit } from '#keystone/test/kit.ts'

const k: KeystoneKit = await keystoneKit()

async function measure(name: string, rounds: number, work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < rounds / 4; i++) await work()
  const before = process.cpuUsage()
  for (let i = 0; i < rounds; i++) await work()
  const { user, system } = process.cpuUsage(before)
  console.log(`${((user + system) / rounds).toFixed(1).padStart(8)} µs  ${name}`)
}

const call = (status: number, method: string, path: string, headers: Record<string, string>, body?: string) => async (): Promise<void> => {
  const answer = await k.keystone.handler({ method, path, query: '', headers, body, origin: 'http://127.0.0.1:5000', remote: 'local' })
  if (answer.status !== status) throw new Error(`${method} ${path} answered ${answer.status}`)
}

const token = await k.admin()
const own = { 'x-auth-token': token }
const login = JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: 'admin', domain: { id: 'default' }, password: 'admin-secret' } } }, scope: { project: { name: 'admin', domain: { id: 'default' } } } } })
let epoch = 1_000
const change = (): Promise<unknown> => k.kit.db.as<{ keystone_epochs: { name: string; value: number } }>().query.updateTable('keystone_epochs').set({ value: epoch++ }).where('name', '=', 'judgement').execute()

await measure('validate a token that is in memory', 20_000, () => k.keystone.validateToken(token, ''))
await measure('GET /v3/auth/tokens', 20_000, call(200, 'GET', '/v3/auth/tokens', { ...own, 'x-subject-token': token }))
await measure('validate a token after something changed (with the change)', 2_000, async () => {
  await change()
  await k.keystone.validateToken(token, '')
})
await measure('the change alone', 2_000, change)
await measure('issue a token without a password', 2_000, () => k.keystone.issueFor('admin', 'admin'))
await measure('POST /v3/auth/tokens, the hash at its cheapest', 2_000, call(201, 'POST', '/v3/auth/tokens', { 'content-type': 'application/json' }, login))
await measure('GET /v3/users', 5_000, call(200, 'GET', '/v3/users', own))
await k.close()
