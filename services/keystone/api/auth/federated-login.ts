/**
 * A login by an identity provider. The web server in front has checked the assertion and passes it on as headers; they are
 * believed from the peers of `federation.trust_headers_from` only (A10). The mapping makes a user, groups and projects of it.
 */
import { forbidden, invalid, unauthenticated } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { type Assertion, mapAssertion, type Mapped, type MappingRule } from '../../core/mapping.ts'
import { METHODS } from '../../core/token-payload.ts'
import { projectByName } from '../../store/projects.ts'
import { deleteRows, findRow, findRows, insertRow, updateRow } from '../../store/rows.ts'
import type { IdentityProviderRow, ProtocolRow, UserRow } from '../../store/tables.ts'
import { getUser, userByName } from '../../store/users.ts'
import type { Keystone } from '../house.ts'
import { projectViews } from '../projects.ts'
import { at, enforce, listReply, newId, own } from '../steps.ts'
import { domainView } from '../domains.ts'
import { domainsOfUser, projectsOfUser } from './scopes.ts'
import type { TokenWish } from './token-office.ts'
import { tokenReply } from './tokens.ts'

const refused = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

/** Who the peer says that this is. */
function assertionOf(house: Keystone, headers: Readonly<Record<string, string>>, remote: string): Record<string, string> {
  if (!house.config.federation.trust_headers_from.includes(remote)) return refused('The peer is not one whose assertions are believed')
  const { assertion_prefix } = house.config.federation
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith(assertion_prefix.toLowerCase())))
}

/** Headers have lost the case of their names, mappings have not. */
function withNamesOf(rules: readonly MappingRule[], headers: Readonly<Record<string, string>>): Assertion {
  const assertion: Record<string, string> = {}
  for (const { type } of rules.flatMap((rule) => rule.remote)) {
    const value = headers[type.toLowerCase()] ?? headers[type.toLowerCase().replaceAll('_', '-')]
    if (value !== undefined) assertion[type] = value
  }
  return assertion
}

export async function federatedWish(house: Keystone, idp_id: string, protocol_id: string, headers: Readonly<Record<string, string>>, remote: string): Promise<TokenWish> {
  const { db } = house
  const found = assertionOf(house, headers, remote)
  const idp = (await findRow(db, 'keystone_identity_providers', { id: idp_id })) ?? refused('No such identity provider')
  const protocol = (await findRow(db, 'keystone_protocols', { idp_id, id: protocol_id })) ?? refused('No such protocol')
  if (idp.enabled !== 1) throw forbidden(`Identity Provider ${idp_id} is disabled.`)
  await assertRemoteId(house, idp, protocol, found)
  const mapping = (await findRow(db, 'keystone_mappings', { id: protocol.mapping_id })) ?? refused('The mapping is gone')
  const rules = JSON.parse(mapping.rules) as MappingRule[]
  const mapped = mapAssertion(rules, withNamesOf(rules, found)) ?? refused('No rule of the mapping holds')
  const method = (METHODS as readonly string[]).includes(protocol_id) ? protocol_id : 'mapped'
  if (mapped.user.type === 'local') {
    const user = await localUser(house, mapped.user)
    return { user_id: user.id, methods: [method] }
  }
  const group_ids = await groupsOf(house, mapped)
  const user = await shadow(house, idp, protocol, mapped.user, found)
  await keepMemberships(house, user.id, idp.id, group_ids)
  await provision(house, idp, user.id, mapped)
  return { user_id: user.id, methods: [method], identity_provider_id: idp.id, protocol_id, group_ids }
}

async function assertRemoteId(house: Keystone, idp: IdentityProviderRow, protocol: ProtocolRow, headers: Readonly<Record<string, string>>): Promise<void> {
  const attribute = protocol.remote_id_attribute ?? house.config.federation.remote_id_attribute
  if (!attribute) return
  const value = headers[attribute.toLowerCase()] ?? headers[attribute.toLowerCase().replaceAll('_', '-')]
  const known = (await findRows(house.db, 'keystone_idp_remote_ids', { idp_id: idp.id })).map((row) => row.remote_id)
  if (value === undefined || !known.includes(value)) throw forbidden('Incoming identity provider identifier not included among the accepted identifiers.')
}

async function localUser(house: Keystone, wanted: Mapped['user']): Promise<UserRow> {
  const domain = await domainNamed(house, wanted.domain)
  const user = wanted.id ? await getUser(house.db, wanted.id) : wanted.name && domain ? await userByName(house.db, domain, wanted.name) : undefined
  return user ?? refused('The mapping names a local user who is not there')
}

async function domainNamed(house: Keystone, domain: { id?: string; name?: string } | undefined): Promise<string | undefined> {
  if (domain?.id) return domain.id
  return domain?.name ? (await projectByName(house.db, '', domain.name))?.id : undefined
}

async function groupsOf(house: Keystone, mapped: Mapped): Promise<string[]> {
  const ids: string[] = []
  for (const id of mapped.group_ids) ids.push(((await findRow(house.db, 'keystone_groups', { id })) ?? refused(`The mapping names a group that is not there: ${id}`)).id)
  for (const { name, domain } of mapped.groups) {
    const domain_id = await domainNamed(house, domain)
    const group = domain_id === undefined ? undefined : await findRow(house.db, 'keystone_groups', { domain_id, name })
    if (group) ids.push(group.id)
  }
  return [...new Set(ids)]
}

/** The row that stands for somebody from outside; made at the first login. */
async function shadow(house: Keystone, idp: IdentityProviderRow, protocol: ProtocolRow, wanted: Mapped['user'], headers: Readonly<Record<string, string>>): Promise<UserRow> {
  const name = wanted.name ?? wanted.id ?? headers['remote-user'] ?? headers.remote_user ?? refused('The mapping names no user')
  const unique_id = wanted.id ?? encodeURIComponent(name)
  return house.db.transaction(async (tx) => {
    const key = { idp_id: idp.id, protocol_id: protocol.id, unique_id }
    const known = await findRow(tx, 'keystone_federated_users', key)
    if (known) {
      if (known.display_name !== name) await updateRow(tx, 'keystone_federated_users', key, { display_name: name })
      const user = await getUser(tx, known.user_id)
      if (user) return user
      await deleteRows(tx, 'keystone_federated_users', key)
    }
    const taken = await userByName(tx, idp.domain_id, name)
    const row: UserRow = {
      id: newId(house), domain_id: idp.domain_id, name: taken ? `${name} (${unique_id})`.slice(0, 255) : name, enabled: 1, default_project_id: null, options: '{}', extra: wanted.email ? JSON.stringify({ email: wanted.email }) : '{}',
      created_at: house.world.clock.now(), last_active_at: null, failed_auth_count: 0, failed_auth_at: null, revoked_before: 0, federated: 1,
    }
    await insertRow(tx, 'keystone_users', row)
    await insertRow(tx, 'keystone_federated_users', { user_id: row.id, ...key, display_name: name })
    return row
  })
}

async function keepMemberships(house: Keystone, user_id: string, idp_id: string, groups: readonly string[]): Promise<void> {
  const verified_at = house.world.clock.now()
  await house.db.transaction(async (tx) => {
    await deleteRows(tx, 'keystone_expiring_memberships', { user_id, idp_id })
    for (const group_id of groups) await insertRow(tx, 'keystone_expiring_memberships', { user_id, group_id, idp_id, verified_at })
    await house.widen(tx)
  })
}

/** Projects that the mapping promises, made at need, with the roles it gives there. */
async function provision(house: Keystone, idp: IdentityProviderRow, actor_id: string, mapped: Mapped): Promise<void> {
  for (const wanted of mapped.projects) {
    const domain_id = (await domainNamed(house, wanted.domain)) ?? idp.domain_id
    await house.db.transaction(async (tx) => {
      let project = await projectByName(tx, domain_id, wanted.name)
      if (!project) {
        project = { id: newId(house), name: wanted.name, domain_id, parent_id: domain_id, is_domain: 0, enabled: 1, description: '', options: '{}', extra: '{}', revoked_before: 0 }
        await insertRow(tx, 'keystone_projects', project)
      }
      for (const { name } of wanted.roles) {
        const role = (await findRow(tx, 'keystone_roles', { domain_id: '', name })) ?? (await findRow(tx, 'keystone_roles', { domain_id, name })) ?? refused(`The mapping names a role that is not there: ${name}`)
        const row = { actor_kind: 'user', actor_id, target_kind: 'project', target_id: project.id, role_id: role.id, inherited: 0 } as const
        if (!(await findRow(tx, 'keystone_assignments', row))) await insertRow(tx, 'keystone_assignments', row)
      }
      await house.widen(tx)
    })
  }
}

export function federatedLoginRoutes(house: Keystone): Route[] {
  const { db } = house
  const login = async (rq: Rq): Promise<Reply> => tokenReply(house, await federatedWish(house, rq.params.idp_id!, rq.params.protocol_id!, rq.http.headers, rq.http.remote), false)
  const websso = async (rq: Rq): Promise<Reply> => {
    const origin = rq.query.get('origin') ?? ''
    if (origin === '') throw invalid('Request must have an origin query parameter', { field: 'origin' })
    if (!house.config.federation.trusted_dashboard.includes(origin)) throw unauthenticated(`${origin} is not a trusted dashboard host`)
    const idp_id = rq.params.idp_id ?? (await idpByRemote(house, rq))
    const { token } = await house.tokens.issue(await federatedWish(house, idp_id, rq.params.protocol_id!, rq.http.headers, rq.http.remote))
    return { headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }, body: postBack(origin, token) }
  }
  const auth = '/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth'
  const sso = ['/v3/auth/OS-FEDERATION/websso/{protocol_id}', '/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso']
  return [
    at('GET', auth, 'federation.login', 201, login, { access: 'public', bodyKind: 'none' }),
    at('POST', auth, 'federation.login', 201, login, { access: 'public', bodyKind: 'none' }),
    ...sso.flatMap((path) => (['GET', 'POST'] as const).map((method) => at(method, path, 'federation.websso', 200, websso, { access: 'public', bodyKind: 'none' }))),
    at('GET', '/v3/OS-FEDERATION/projects', 'federation.projects', 200, async (rq) => {
      enforce(rq, 'get_auth_projects')
      const rows = (await projectsOfUser(house, own(rq).user_id!, own(rq).group_ids)).filter((row) => row.enabled === 1 && row.is_domain === 0)
      return listReply(rq, 'projects', await projectViews(house, rq, rows))
    }),
    at('GET', '/v3/OS-FEDERATION/domains', 'federation.domains', 200, async (rq) => {
      enforce(rq, 'get_auth_domains')
      const rows = (await domainsOfUser(house, own(rq).user_id!, own(rq).group_ids)).filter((row) => row.enabled === 1)
      return listReply(rq, 'domains', rows.map((row) => domainView(rq, row)))
    }),
  ]

  async function idpByRemote(keystone: Keystone, rq: Rq): Promise<string> {
    const headers = assertionOf(keystone, rq.http.headers, rq.http.remote)
    const attribute = keystone.config.federation.remote_id_attribute
    const value = attribute === null ? undefined : (headers[attribute.toLowerCase()] ?? headers[attribute.toLowerCase().replaceAll('_', '-')])
    const row = value === undefined ? undefined : await findRow(db, 'keystone_idp_remote_ids', { remote_id: value })
    return row?.idp_id ?? refused('No identity provider has this remote id')
  }
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (letter) => ENTITIES[letter]!)

/** A page that hands the token to the dashboard. */
function postBack(origin: string, token: string): string {
  return `<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Keystone WebSSO redirect</title></head>
<body><form id="sso" name="sso" action="${escape(origin)}" method="post">
<p>Please wait…</p>
<input type="hidden" name="token" id="token" value="${escape(token)}">
<noscript><input type="submit" name="submit_no_javascript" id="submit_no_javascript" value="If your JavaScript is disabled, please click to continue"></noscript>
</form><script>window.onload = function () { document.forms['sso'].submit() }</script></body></html>
`
}

