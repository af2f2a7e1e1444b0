/** `os-security-groups` and their rules, until 2.35: Neutron's security groups behind the old form. */
import { invalid } from '#base/fault.ts'
import { isUuidLike } from '#base/ids.ts'
import {
  createSecurityGroup, createSecurityGroupRule, deleteSecurityGroup, deleteSecurityGroupRule, listSecurityGroups, type SecurityGroup, showSecurityGroup, updateSecurityGroup,
} from '#neutron/contract/security-group.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { portRangeOf, protocolOf, sourceOf } from '../core/security-group-rules.ts'
import type { Nova } from '../house.ts'
import { limited, proxiedPlainly, PROXIES_END } from './proxy-steps.ts'
import { last } from './queries.ts'
import { envelope } from './schemas.ts'
import { securityGroupRuleView, securityGroupViews } from './security-group-view.ts'
import { callerOf } from './server-create.ts'

interface Group {
  security_group: { name?: unknown; description?: unknown }
}

interface Rule {
  security_group_rule: { parent_group_id?: unknown; ip_protocol?: unknown; from_port?: unknown; to_port?: unknown; cidr?: unknown; group_id?: unknown }
}

/** Nova never looked closer: what is wrong within, its own words below say. */
const loose = (key: string) => envelope(key, { type: 'object' })

export function securityGroupRoutes(nova: Nova): Route[] {
  const until = PROXIES_END
  const all = '/v2.1/os-security-groups'
  const one = `${all}/{security_group_id}`
  const p = (verb: string): string => `os_compute_api:os-security-groups:${verb}`
  const shown = async (rq: Rq<unknown>, asked: Promise<{ security_group: SecurityGroup }>): Promise<Reply> => {
    const { security_group } = await proxiedPlainly(asked, missing(rq))
    return { json: { security_group: (await securityGroupViews(nova, callerOf(rq), [security_group]))[0] } }
  }
  return [
    route({ method: 'GET', path: all, name: 'security-groups.index', until, policy: p('get'), status: 200, handle: (rq) => list(nova, rq) }),
    route<Group>({
      method: 'POST', path: all, name: 'security-groups.create', until, policy: p('create'), status: 200, body: loose('security_group'),
      handle: (rq) => shown(rq, nova.client.call(callerOf(rq), 'neutron', createSecurityGroup, { body: { security_group: texts(rq.body) } })),
    }),
    route({ method: 'GET', path: one, name: 'security-groups.show', until, policy: p('show'), status: 200, handle: (rq) => shown(rq, nova.client.call(callerOf(rq), 'neutron', showSecurityGroup, { params: { id: idOf(rq) } })) }),
    route<Group>({
      method: 'PUT', path: one, name: 'security-groups.update', until, policy: p('update'), status: 200, body: loose('security_group'),
      handle: (rq) => shown(rq, nova.client.call(callerOf(rq), 'neutron', updateSecurityGroup, { params: { id: idOf(rq) }, body: { security_group: texts(rq.body) } })),
    }),
    route({
      method: 'DELETE', path: one, name: 'security-groups.delete', until, policy: p('delete'), status: 202,
      async handle(rq) {
        await proxiedPlainly(nova.client.call(callerOf(rq), 'neutron', deleteSecurityGroup, { params: { id: idOf(rq) } }), missing(rq))
        return {}
      },
    }),
    route<Rule>({ method: 'POST', path: '/v2.1/os-security-group-rules', name: 'security-group-rules.create', until, policy: p('rule:create'), status: 200, body: loose('security_group_rule'), handle: (rq) => createRule(nova, rq) }),
    route({
      method: 'DELETE', path: '/v2.1/os-security-group-rules/{security_group_rule_id}', name: 'security-group-rules.delete', until, policy: p('rule:delete'), status: 202,
      async handle(rq) {
        const id = uuidOf(rq.params.security_group_rule_id)
        await proxiedPlainly(nova.client.call(callerOf(rq), 'neutron', deleteSecurityGroupRule, { params: { id } }), `Security group rule ${id} not found.`)
        return {}
      },
    }),
  ]
}

const missing = (rq: Rq<unknown>): string => `Security group ${rq.params.security_group_id} not found.`
const idOf = (rq: Rq<unknown>): string => uuidOf(rq.params.security_group_id)

function uuidOf(id: unknown): string {
  if (typeof id !== 'string' || !isUuidLike(id)) throw invalid('Security group id should be uuid', { field: 'id' })
  return id
}

function texts({ security_group }: Group): { name: string; description: string } {
  const text = (field: 'name' | 'description', value: unknown): string => {
    if (typeof value !== 'string') throw invalid(`Security group ${field} is not a string or unicode`, { field })
    if (field === 'name' && value.trim() === '') throw invalid('Security group name cannot be empty.', { field })
    if (value.trim().length > 255) throw invalid(`Security group ${field} should not be greater than 255 characters.`, { field })
    return value
  }
  return { name: text('name', security_group.name), description: text('description', security_group.description ?? '') }
}

async function list(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const everywhere = last(rq.query, 'all_tenants') !== undefined && rq.allows('context_is_admin')
  const { security_groups } = await nova.client.call(callerOf(rq), 'neutron', listSecurityGroups, { query: everywhere ? {} : { project_id: rq.context.project_id } })
  const sorted = security_groups.toSorted((a, b) => a.project_id.localeCompare(b.project_id) || a.name.localeCompare(b.name))
  return { json: { security_groups: await securityGroupViews(nova, callerOf(rq), limited(sorted, rq.query, nova.config.max_limit)) } }
}

async function createRule(nova: Nova, rq: Rq<Rule>): Promise<Reply> {
  const wish = rq.body.security_group_rule
  const security_group_id = uuidOf(wish.parent_group_id)
  if (wish.group_id) uuidOf(wish.group_id)
  const caller = callerOf(rq)
  await proxiedPlainly(nova.client.call(caller, 'neutron', showSecurityGroup, { params: { id: security_group_id } }), `Security group ${security_group_id} not found.`)
  const protocol = protocolOf(wish)
  const body = { security_group_rule: { security_group_id, direction: 'ingress', protocol, ...portRangeOf(wish, protocol), ...sourceOf(wish) } }
  const { security_group_rule } = await proxiedPlainly(nova.client.call(caller, 'neutron', createSecurityGroupRule, { body }), `Security group ${security_group_id} not found.`)
  return { json: { security_group_rule: await securityGroupRuleView(nova, caller, security_group_rule) } }
}
