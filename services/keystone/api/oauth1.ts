/** OS-OAUTH1: a consumer asks for some of a user's roles in a project, an administrator of that user authorizes it. */
import { forbidden, invalid, notFound, unauthenticated } from '#base/fault.ts'
import { text } from '#stack/resource/field.ts'
import { type Resource, type Row, toWire } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { wireInstantOr } from '../core/instant.ts'
import { oauthHolds, oauthParams } from '../core/oauth1.ts'
import { getProject } from '../store/projects.ts'
import { deleteRows, findRow, findRows, insertRow, rowsIn, updateRow } from '../store/rows.ts'
import type { ConsumerRow, OauthTokenRow } from '../store/tables.ts'
import { delegationOf } from './delegation.ts'
import { description, id } from './fields.ts'
import type { Keystone } from './house.ts'
import { roleView } from './roles.ts'
import { at, checked, created, enforce, listReply, mergedExtra, newId, own, page, there, updated, v3 } from './steps.ts'

const CONSUMER: Resource = { one: 'consumer', many: 'consumers', path: '/v3/OS-OAUTH1/consumers', table: 'keystone_consumers', extra: 'extra', fields: { id: id(), description: description(), secret: text({}, { hidden: true, filter: false }) } }

const refused = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

export interface Signed {
  method: string
  url: string
  query: string
  authorization: string | undefined
}

/** The consumer and the token behind a signed request; 401 when the signature is not theirs. */
export async function signedBy(house: Keystone, request: Signed, kind?: OauthTokenRow['kind']): Promise<{ consumer: ConsumerRow; token: OauthTokenRow | undefined; params: Record<string, string> }> {
  const params = oauthParams(request.authorization)
  if (!params?.oauth_consumer_key) return refused('No OAuth header')
  const consumer = (await findRow(house.db, 'keystone_consumers', { id: params.oauth_consumer_key })) ?? refused('No such consumer')
  const token = params.oauth_token === undefined ? undefined : await findRow(house.db, 'keystone_oauth_tokens', { id: params.oauth_token })
  const now = house.world.clock.now()
  if (kind !== undefined && (!token || token.kind !== kind || token.consumer_id !== consumer.id || (token.expires_at !== null && token.expires_at <= now))) refused('No such token')
  if (!oauthHolds({ method: request.method, url: request.url, query: request.query, params }, consumer.secret, kind === undefined ? '' : token!.secret, now)) refused('Wrong signature')
  return { consumer, token, params }
}

const signedOf = (rq: Rq): Signed => ({ method: rq.http.method, url: `${rq.base}${rq.http.path}`, query: rq.http.query, authorization: rq.http.headers.authorization })

export function oauth1Routes(house: Keystone): Route[] {
  return [...consumerRoutes(house), ...danceRoutes(house), ...accessTokenRoutes(house)]
}

function consumerRoutes(house: Keystone): Route[] {
  const { db } = house
  const view = (rq: Rq, row: ConsumerRow): Row => ({ ...toWire(CONSUMER, row as unknown as Row), links: { self: v3(rq, `OS-OAUTH1/consumers/${row.id}`) } })
  const find = async (rq: Rq, action: string): Promise<ConsumerRow> => {
    enforce(rq, action)
    return there(await findRow(db, 'keystone_consumers', { id: rq.params.consumer_id! }), 'consumer', rq.params.consumer_id!)
  }
  const one = '/v3/OS-OAUTH1/consumers/{consumer_id}'
  return [
    at('GET', '/v3/OS-OAUTH1/consumers', 'consumers.list', 200, async (rq) => {
      enforce(rq, 'list_consumers')
      const { rows, ...more } = await page<ConsumerRow>(house, rq, CONSUMER)
      return listReply(rq, 'consumers', rows.map((row) => view(rq, row)), more)
    }),
    at('POST', '/v3/OS-OAUTH1/consumers', 'consumers.create', 201, async (rq) => {
      enforce(rq, 'create_consumer')
      const record = created(CONSUMER, rq)
      const row: ConsumerRow = { id: newId(house), description: record.description as string | null, secret: newId(house), extra: JSON.stringify(record.extra) }
      await insertRow(db, 'keystone_consumers', row)
      return { json: { consumer: { ...view(rq, row), secret: row.secret } } }
    }),
    at('GET', one, 'consumers.show', 200, async (rq) => ({ json: { consumer: view(rq, await find(rq, 'get_consumer')) } })),
    at('PATCH', one, 'consumers.update', 200, async (rq) => {
      const row = await find(rq, 'update_consumer')
      const given = (rq.body as { consumer?: Row } | undefined)?.consumer
      if (given && 'secret' in given) throw invalid('Cannot change consumer secret', { field: 'secret' })
      const patch = updated(CONSUMER, rq, row.id)
      const columns = { ...(patch.description === undefined ? {} : { description: patch.description as string | null }), extra: mergedExtra(row.extra, patch) }
      await updateRow(db, 'keystone_consumers', { id: row.id }, columns)
      return { json: { consumer: view(rq, { ...row, ...columns }) } }
    }),
    at('DELETE', one, 'consumers.delete', 204, async (rq) => {
      const row = await find(rq, 'delete_consumer')
      await db.transaction(async (tx) => {
        await deleteRows(tx, 'keystone_oauth_tokens', { consumer_id: row.id })
        await deleteRows(tx, 'keystone_consumers', { id: row.id })
        await house.revoke(tx)
      })
      return {}
    }),
  ]
}

/** As Keystone writes it: nothing in it needs escaping, and clients do not unescape the colons of the date. */
const form = (values: Record<string, string>): Reply => ({ headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: Object.entries(values).map((pair) => pair.join('=')).join('&') })

function danceRoutes(house: Keystone): Route[] {
  const { db, config } = house
  const request = async (rq: Rq): Promise<Reply> => {
    const { consumer } = await signedBy(house, signedOf(rq))
    const project_id = rq.http.headers['requested-project-id']
    if (!project_id) throw invalid('The request has no Requested-Project-Id.', { field: 'Requested-Project-Id' })
    there(await getProject(db, project_id), 'project', project_id)
    const duration = config.oauth1.request_token_duration
    const row: OauthTokenRow = {
      id: newId(house), kind: 'request', secret: newId(house), consumer_id: consumer.id, project_id, user_id: null, roles: '[]', verifier: null,
      expires_at: duration > 0 ? house.world.clock.now() + duration * 1000 : null,
    }
    await insertRow(db, 'keystone_oauth_tokens', row)
    return form({ oauth_token: row.id, oauth_token_secret: row.secret, ...(row.expires_at === null ? {} : { oauth_expires_at: wireInstantOr(row.expires_at)! }) })
  }
  const authorize = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'authorize_request_token')
    if (Object.keys(delegationOf(rq)).length > 0) throw forbidden('You are not authorized to perform the requested action: Cannot authorize a request token with a token issued via delegation.')
    checked({ type: 'object', required: ['roles'], properties: { roles: { type: 'array', minItems: 1, items: { type: 'object', properties: { id: { type: 'string' }, name: { type: 'string' } } } } } }, rq.body)
    const row = await findRow(db, 'keystone_oauth_tokens', { id: rq.params.request_token_id! })
    const now = house.world.clock.now()
    const token = there(row?.kind === 'request' ? row : undefined, 'request token', rq.params.request_token_id!)
    if (token.expires_at !== null && token.expires_at <= now) throw unauthenticated('Request token is expired')
    const asked = (rq.body as { roles: { id?: string; name?: string }[] }).roles
    const named = asked.map((one) => one.id ?? '').filter(Boolean)
    const roles = new Set([...named, ...(await rowsIn(db, 'keystone_roles', 'name', asked.flatMap((one) => one.name ?? []))).filter((one) => one.domain_id === '').map((one) => one.id)])
    const held = new Set(own(rq).project_id === token.project_id ? own(rq).role_ids : [])
    for (const role of roles) if (!held.has(role)) throw unauthenticated('authorizing user does not have role required')
    const verifier = house.world.random.bytes(6).toString('base64url')
    await updateRow(db, 'keystone_oauth_tokens', { id: token.id }, { user_id: own(rq).user_id!, roles: JSON.stringify([...roles]), verifier })
    return { json: { token: { oauth_verifier: verifier } } }
  }
  const access = async (rq: Rq): Promise<Reply> => {
    const { token, params } = await signedBy(house, signedOf(rq), 'request')
    if (token!.user_id === null) throw unauthenticated('Request Token does not have an authorizing user id.')
    if (token!.verifier === null || params.oauth_verifier !== token!.verifier) throw unauthenticated('Provided verifier does not match stored verifier')
    const duration = config.oauth1.access_token_duration
    const row: OauthTokenRow = { ...token!, id: newId(house), kind: 'access', secret: newId(house), verifier: null, expires_at: duration > 0 ? house.world.clock.now() + duration * 1000 : null }
    await db.transaction(async (tx) => {
      // A request token is good for one access token.
      if ((await deleteRows(tx, 'keystone_oauth_tokens', { id: token!.id, kind: 'request' })) === 0) refused('The request token is used up')
      await insertRow(tx, 'keystone_oauth_tokens', row)
    })
    return form({ oauth_token: row.id, oauth_token_secret: row.secret, ...(row.expires_at === null ? {} : { oauth_expires_at: wireInstantOr(row.expires_at)! }) })
  }
  return [
    at('POST', '/v3/OS-OAUTH1/request_token', 'oauth1.request_token', 201, request, { access: 'public', bodyKind: 'none' }),
    at('PUT', '/v3/OS-OAUTH1/authorize/{request_token_id}', 'oauth1.authorize', 200, authorize),
    at('POST', '/v3/OS-OAUTH1/access_token', 'oauth1.access_token', 201, access, { access: 'public', bodyKind: 'none' }),
  ]
}

function accessTokenRoutes(house: Keystone): Route[] {
  const { db } = house
  const base = '/v3/users/{user_id}/OS-OAUTH1/access_tokens'
  const self = (rq: Rq, row: OauthTokenRow): string => v3(rq, `users/${row.user_id}/OS-OAUTH1/access_tokens/${row.id}`)
  const view = (rq: Rq, row: OauthTokenRow): Row => ({ id: row.id, consumer_id: row.consumer_id, project_id: row.project_id, authorizing_user_id: row.user_id, expires_at: wireInstantOr(row.expires_at), links: { self: self(rq, row), roles: `${self(rq, row)}/roles` } })
  const undelegated = (rq: Rq): void => {
    if (Object.keys(delegationOf(rq)).length > 0) throw forbidden('You are not authorized to perform the requested action: Cannot list or change access tokens with a token issued via delegation.')
  }
  const find = async (rq: Rq, action: string): Promise<OauthTokenRow> => {
    enforce(rq, action)
    const row = await findRow(db, 'keystone_oauth_tokens', { id: rq.params.access_token_id! })
    return there(row?.kind === 'access' && row.user_id === rq.params.user_id ? row : undefined, 'OAuth access token', rq.params.access_token_id!)
  }
  return [
    at('GET', base, 'access_tokens.list', 200, async (rq) => {
      enforce(rq, 'list_access_tokens')
      undelegated(rq)
      const rows = await findRows(db, 'keystone_oauth_tokens', { user_id: rq.params.user_id!, kind: 'access' }, 'id')
      return listReply(rq, 'access_tokens', rows.map((row) => view(rq, row)))
    }),
    at('GET', `${base}/{access_token_id}`, 'access_tokens.show', 200, async (rq) => ({ json: { access_token: view(rq, await find(rq, 'get_access_token')) } })),
    at('DELETE', `${base}/{access_token_id}`, 'access_tokens.delete', 204, async (rq) => {
      const row = await find(rq, 'delete_access_token')
      undelegated(rq)
      await db.transaction(async (tx) => {
        await deleteRows(tx, 'keystone_oauth_tokens', { id: row.id })
        await house.revoke(tx)
      })
      return {}
    }),
    at('GET', `${base}/{access_token_id}/roles`, 'access_tokens.roles', 200, async (rq) => {
      const row = await find(rq, 'list_access_token_roles')
      return listReply(rq, 'roles', (await rowsIn(db, 'keystone_roles', 'id', JSON.parse(row.roles) as string[])).map((role) => roleView(rq, role)))
    }),
    at('GET', `${base}/{access_token_id}/roles/{role_id}`, 'access_tokens.role', 200, async (rq) => {
      const row = await find(rq, 'get_access_token_role')
      const role = (JSON.parse(row.roles) as string[]).includes(rq.params.role_id!) ? await findRow(db, 'keystone_roles', { id: rq.params.role_id! }) : undefined
      if (!role) throw notFound(`Could not find role: ${rq.params.role_id}.`)
      return { json: { role: roleView(rq, role) } }
    }),
  ]
}
