/** The rules of every house can be read, refer to what exists, and answer for the usual people as OpenStack does. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, existsSync } from 'node:fs'
import { test } from 'node:test'
import { createEnforcer } from './enforcer.ts'
import type { Credentials, RuleDefault } from './interface.ts'

const services = new URL('../../services/', import.meta.url)
const houses = readdirSync(services).filter((house) => existsSync(new URL(`${house}/contract/policies.json`, services)))
const defaultsOf = (house: string): RuleDefault[] => JSON.parse(readFileSync(new URL(`${house}/contract/policies.json`, services), 'utf8')) as RuleDefault[]

test('every rule of every house is sound, under either set of defaults', () => {
  assert.ok(houses.length >= 6)
  for (const house of houses) {
    const defaults = defaultsOf(house)
    assert.equal(new Set(defaults.map((rule) => rule.name)).size, defaults.length, `${house} has a rule twice`)
    for (const enforce_new_defaults of [true, false]) assert.deepEqual(createEnforcer({ defaults, enforce_new_defaults }).problems, [], house)
  }
})

const project = { user_id: 'u', project_id: 'p', user_domain_id: 'default', project_domain_id: 'default' }
const people: Readonly<Record<string, Credentials>> = {
  admin: { ...project, roles: ['admin', 'manager', 'member', 'reader'], is_admin: true },
  manager: { ...project, roles: ['manager', 'member', 'reader'], is_admin: false },
  member: { ...project, roles: ['member', 'reader'], is_admin: false },
  reader: { ...project, roles: ['reader'], is_admin: false },
  service: { ...project, project_id: 'service', roles: ['service'], is_admin: false },
  stranger: { ...project, user_id: 'x', project_id: 'x', roles: ['member', 'reader'], is_admin: false },
}

const expected: readonly [house: string, rule: string, target: Record<string, unknown>, who: string][] = [
  ['nova', 'os_compute_api:servers:create', { project_id: 'p', user_id: 'u' }, 'admin manager member'],
  ['nova', 'os_compute_api:servers:show', { project_id: 'p', user_id: 'u' }, 'admin manager member reader'],
  ['nova', 'os_compute_api:servers:create:forced_host', { project_id: 'p', user_id: 'u' }, 'admin'],
  ['nova', 'os_compute_api:os-server-external-events:create', {}, 'admin service'],
  ['neutron', 'create_network', { project_id: 'p' }, 'admin manager member'],
  ['neutron', 'get_network', { project_id: 'p', shared: false, 'router:external': false }, 'admin manager member reader service'],
  ['neutron', 'create_network:shared', { project_id: 'p' }, 'admin'],
  ['cinder', 'volume:create', { project_id: 'p' }, 'admin manager member'],
  ['glance', 'get_image', { project_id: 'p', owner: 'p', member_id: null, visibility: 'private' }, 'admin manager member reader'],
  ['glance', 'get_image', { project_id: 'p', owner: 'p', member_id: null, visibility: 'public' }, 'admin manager member reader stranger'],
  ['glance', 'publicize_image', { project_id: 'p', owner: 'p' }, 'admin'],
  ['keystone', 'identity:list_services', {}, 'admin'],
  ['keystone', 'identity:get_user', { target: { user: { id: 'u', domain_id: 'default' } } }, 'admin manager member reader service'],
  ['placement', 'placement:allocations:manage', {}, 'admin service'],
]

test('the usual people may what they may', () => {
  for (const [house, rule, target, who] of expected) {
    const enforcer = createEnforcer({ defaults: defaultsOf(house) })
    const allowed = Object.keys(people).filter((person) => enforcer.check(rule, target, people[person]!))
    assert.equal(allowed.join(' '), who, `${house} ${rule}: ${JSON.stringify(enforcer.explain(rule, target, people.reader!))}`)
  }
})
