/** What one policy decision costs: `node tools/bench-policy.ts`. Figures are nanoseconds of wall time per decision. */
import { readFileSync } from 'node:fs'
import { createEnforcer } from '#stack/policy/enforcer.ts'
import type { Credentials, RuleDefault } from '#stack/policy/interface.ts'

const member: Credentials = { user_id: 'u', project_id: 'p', user_domain_id: 'default', project_domain_id: 'default', roles: ['member', 'reader'], is_admin: false }
const cases: readonly [house: string, rule: string, target: Record<string, unknown>][] = [
  ['nova', 'os_compute_api:servers:show', { project_id: 'p', user_id: 'u' }],
  ['nova', 'os_compute_api:servers:create:forced_host', { project_id: 'p', user_id: 'u' }],
  ['neutron', 'get_network', { project_id: 'q', shared: false, 'router:external': false }],
  ['cinder', 'volume:get', { project_id: 'p' }],
  ['glance', 'get_image', { project_id: 'p', owner: 'p', member_id: null, visibility: 'private' }],
  ['keystone', 'identity:get_user', { target: { user: { id: 'u', domain_id: 'default' } } }],
  ['placement', 'placement:resource_providers:list', {}],
]
const ROUNDS = 500_000

for (const [house, rule, target] of cases) {
  const defaults = JSON.parse(readFileSync(new URL(`../services/${house}/contract/policies.json`, import.meta.url), 'utf8')) as RuleDefault[]
  const began = performance.now()
  const enforcer = createEnforcer({ defaults })
  const made = performance.now() - began
  let yes = 0
  for (let i = 0; i < ROUNDS; i++) if (enforcer.check(rule, target, member)) yes++
  const start = performance.now()
  for (let i = 0; i < ROUNDS; i++) if (enforcer.check(rule, target, member)) yes++
  const each = ((performance.now() - start) / ROUNDS) * 1e6
  console.log(`${house.padEnd(10)} ${rule.padEnd(44)} ${yes ? 'yes' : 'no '} ${each.toFixed(0).padStart(5)} ns   (${defaults.length} rules compiled in ${made.toFixed(1)} ms)`)
}
