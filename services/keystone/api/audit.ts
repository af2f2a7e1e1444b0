/**
 * CADF events of what changed and of every login, in the shape that Keystone's own notifications have, for whoever keeps an audit trail. They
 * carry ids, the request id and where the request came from; never a password, a secret or a token.
 */
import { isFault } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { tokenOnPage } from './auth/dashboard-page.ts'

export interface Notification {
  message_id: string
  publisher_id: string
  event_type: string
  priority: 'INFO'
  payload: Record<string, unknown>
  timestamp: string
}

/** Noun of the route → the resource as Keystone calls it, its CADF type, the parameter of its id. */
const NOUNS: Readonly<Record<string, readonly [resource: string, type: string, param: string] | undefined>> = {
  users: ['user', 'data/security/account/user', 'user_id'],
  groups: ['group', 'data/security/group', 'group_id'],
  projects: ['project', 'data/security/project', 'project_id'],
  domains: ['domain', 'data/security/domain', 'domain_id'],
  roles: ['role', 'data/security/role', 'role_id'],
  regions: ['region', 'data/security/region', 'region_id'],
  services: ['service', 'data/security/service', 'service_id'],
  endpoints: ['endpoint', 'data/security/endpoint', 'endpoint_id'],
  policies: ['policy', 'data/security/policy', 'policy_id'],
  trusts: ['OS-TRUST:trust', 'data/security/trust', 'trust_id'],
  consumers: ['OS-OAUTH1:consumer', 'data/security/account', 'consumer_id'],
  access_tokens: ['OS-OAUTH1:access_token', 'data/security/account', 'access_token_id'],
  identity_providers: ['OS-FEDERATION:identity_provider', 'data/security/identity_provider', 'id'],
  protocols: ['OS-FEDERATION:protocol', 'data/security/protocol', 'protocol_id'],
  mappings: ['OS-FEDERATION:mapping', 'data/security/mapping', 'id'],
  service_providers: ['OS-FEDERATION:service_provider', 'data/security/service_provider', 'id'],
  application_credentials: ['application_credential', 'data/security/credential', 'application_credential_id'],
}
const VERBS: Readonly<Record<string, string | undefined>> = { create: 'created', create_by_id: 'created', update: 'updated', delete: 'deleted', password: 'updated' }
const GRANTS: Readonly<Record<string, string | undefined>> = { 'grants.create': 'created', 'grants.revoke': 'deleted' }
const OAUTH_TOKENS: Readonly<Record<string, string | undefined>> = { 'oauth1.request_token': 'OS-OAUTH1:request_token', 'oauth1.access_token': 'OS-OAUTH1:access_token' }
const LOGINS = new Set(['tokens.issue', 'federation.login', 'federation.websso', 'federation.callback', 'federation.acs', 'federation.ecp'])
const USER = 'service/security/account/user'

/** The routes as they were, telling `send` after what they did. */
export function audited(world: World, host: string, routes: readonly Route[], send: (notification: Notification) => void): Route[] {
  const event = (rq: Rq, event_type: string, action: string, outcome: 'success' | 'failure', target: { typeURI: string; id: string }, user_id: string | undefined, more: Record<string, unknown> = {}): void => {
    const { project_id, domain_id, request_id, global_request_id } = rq.context
    const now = new Date(world.clock.now()).toISOString()
    const initiator = {
      typeURI: USER, id: user_id ?? 'unknown', host: { address: rq.http.remote, agent: rq.http.headers['user-agent'] ?? null }, request_id,
      ...(user_id === undefined ? {} : { user_id }), ...(project_id === undefined ? {} : { project_id }), ...(domain_id === undefined ? {} : { domain_id }), ...(global_request_id === undefined ? {} : { global_request_id }),
    }
    send({
      message_id: world.random.uuid(), publisher_id: `identity.${host}`, event_type, priority: 'INFO', timestamp: now.replace('T', ' ').replace('Z', '000'),
      payload: { typeURI: 'http://schemas.dmtf.org/cloud/audit/1.0/event', eventType: 'activity', id: world.random.uuid(), eventTime: now.replace('Z', '000+0000'), action, outcome, initiator, target, observer: { typeURI: 'service/security', id: 'keystone' }, ...more },
    })
  }
  const login = (route: Route): Route => ({
    ...route,
    async handle(rq) {
      const told = (outcome: 'success' | 'failure', user_id: string | undefined): void => event(rq, 'identity.authenticate', 'authenticate', outcome, { typeURI: USER, id: user_id ?? 'unknown' }, user_id)
      try {
        const reply = await route.handle(rq)
        const user_id = userOf(reply)
        // Of a login by an identity provider one request begins it, another ends it with a token.
        if (user_id !== undefined || route.name === 'tokens.issue') told(reply.status === 401 ? 'failure' : 'success', user_id ?? claimed(rq))
        return reply
      } catch (thrown) {
        if (isFault(thrown, 'unauthenticated')) told('failure', claimed(rq))
        throw thrown
      }
    },
  })
  const grant = (route: Route, done: string): Route => ({
    ...route,
    async handle(rq) {
      const reply = await route.handle(rq)
      const { user_id, group_id, project_id, domain_id, role_id } = (rq as Rq).params
      const target = project_id !== undefined ? { project: project_id } : domain_id !== undefined ? { domain: domain_id } : { system: 'all' }
      const actor = user_id !== undefined ? { user: user_id } : { group: group_id }
      event(rq, `identity.role_assignment.${done}`, `${done}.role_assignment`, 'success', { typeURI: USER, id: user_id ?? group_id ?? '' }, (rq as Rq).context.user_id, { ...target, ...actor, role: role_id, inherited_to_projects: route.path.endsWith('/inherited_to_projects') })
      return reply
    },
  })
  const oauthToken = (route: Route, resource: string): Route => ({
    ...route,
    async handle(rq) {
      const reply = await route.handle(rq)
      // The answer is a form, and what it names besides is a secret.
      const id = new URLSearchParams(String(reply.body ?? '')).get('oauth_token')
      if (id !== null) event(rq, `identity.${resource}.created`, `created.${resource}`, 'success', { typeURI: 'data/security/account', id }, (rq as Rq).context.user_id, { resource_info: id })
      return reply
    },
  })
  return routes.map((route) => {
    if (LOGINS.has(route.name)) return login(route)
    const granted = GRANTS[route.name.split('_')[0]!]
    if (granted !== undefined) return grant(route, granted)
    const token = OAUTH_TOKENS[route.name]
    if (token !== undefined) return oauthToken(route, token)
    const [noun = '', verb = ''] = route.name.split('.')
    const [done, facts] = [VERBS[verb], NOUNS[noun]]
    if (route.method === 'GET' || route.method === 'HEAD' || !done || !facts) return route
    const [resource, typeURI, param] = facts
    return {
      ...route,
      async handle(rq) {
        const reply = await route.handle(rq)
        const { params, context } = rq as Rq
        const id = params[param] ?? madeId(reply)
        // A protocol's id is its provider's own.
        const of = params.idp_id === undefined ? {} : { identity_provider: params.idp_id }
        if (id !== undefined) event(rq, `identity.${resource}.${done}`, `${done}.${resource}`, 'success', { typeURI, id }, context.user_id, { resource_info: id, ...of })
        return reply
      },
    }
  })
}

/** Of `{user: {id}}`. */
function madeId(reply: Reply): string | undefined {
  const [made] = Object.values((reply.json ?? {}) as Record<string, { id?: unknown } | undefined>)
  return typeof made?.id === 'string' ? made.id : undefined
}

function userOf(reply: Reply): string | undefined {
  if (reply.headers?.['content-type'] !== 'application/json' || typeof reply.body !== 'string') return tokenOnPage(reply)
  return (JSON.parse(reply.body) as { token?: { user?: { id?: string } } }).token?.user?.id
}

/** Whom a failed login named, when it did so by id. */
function claimed(rq: Rq<never>): string | undefined {
  const id = (rq as Rq<{ auth?: { identity?: { password?: { user?: { id?: unknown } } } } } | undefined>).body?.auth?.identity?.password?.user?.id
  return typeof id === 'string' ? id.slice(0, 64) : undefined
}
