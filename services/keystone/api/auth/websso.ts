/** Web single sign-on: a dashboard sends its user here, the identity provider says who it is, and a form posts the token back to the dashboard. */
import { invalid, unauthenticated } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import type { WebSignOn } from '../../contract/bootstrap.ts'
import { oneValue } from '../../core/attributes.ts'
import { findRow } from '../../store/rows.ts'
import type { Keystone } from '../house.ts'
import { at } from '../steps.ts'
import { dashboardPage } from './dashboard-page.ts'
import { federatedWish, headersOfPeer, logged, openDoor, wishOf } from './federated-login.ts'
import { beginOpenid, finishOpenid, openidOf } from './openid.ts'
import { beginSaml, finishSaml, samlOf } from './saml.ts'
import type { TokenWish } from './token-office.ts'

/** Where the dashboard beside this Keystone takes tokens (`cloud/console-sign-on.ts`). */
const OWN_DASHBOARD = '/console/websso'

const refused = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

/** Tokens go to this cloud's own dashboard, to those that the operator has named, letter by letter, and to nobody else. */
function assertTrusted(house: Keystone, origin: string): void {
  if (origin !== `${house.publicUrl()}${OWN_DASHBOARD}` && !house.config.federation.trusted_dashboard.includes(origin)) throw unauthenticated(`${origin} is not a trusted dashboard host`)
}

async function postToDashboard(house: Keystone, wish: TokenWish, origin: string, setCookie?: string): Promise<Reply> {
  assertTrusted(house, origin)
  const { token } = await house.tokens.issue(wish)
  return dashboardPage(origin, token, wish.user_id, setCookie)
}

export function webssoRoutes(house: Keystone): Route[] {
  const begun = async (rq: Rq): Promise<Reply> => {
    const origin = rq.query.get('origin') ?? ''
    if (origin === '') throw invalid('Request must have an origin query parameter', { field: 'origin' })
    assertTrusted(house, origin)
    const protocol_id = rq.params.protocol_id!
    const idp_id = rq.params.idp_id ?? (await idpOf(house, rq, protocol_id))
    const party = openidOf(house, idp_id, protocol_id)
    const saml = samlOf(house, idp_id, protocol_id)
    if (party || saml) {
      await openDoor(house, idp_id, protocol_id)
      return party ? beginOpenid(house, party, origin) : beginSaml(house, saml!, origin)
    }
    return postToDashboard(house, await federatedWish(house, idp_id, protocol_id, rq.http.headers, rq.http.remote), origin)
  }
  const finished = async (rq: Rq, way: typeof finishOpenid): Promise<Reply> => {
    const { attributes, origin, setCookie } = await way(house, rq)
    return postToDashboard(house, await wishOf(house, rq.params.idp_id!, rq.params.protocol_id!, attributes), origin, setCookie)
  }
  const begin = (rq: Rq): Promise<Reply> => logged(house, begun(rq))
  const finish = (way: typeof finishOpenid) => (rq: Rq): Promise<Reply> => logged(house, finished(rq, way))
  const named = '/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}'
  const starts = ['/v3/auth/OS-FEDERATION/websso/{protocol_id}', `${named}/websso`]
  return [
    ...starts.flatMap((path) => (['GET', 'POST'] as const).map((method) => at(method, path, 'federation.websso', 200, begin, { access: 'public', bodyKind: 'none' }))),
    at('GET', `${named}/callback`, 'federation.callback', 200, finish(finishOpenid), { access: 'public', bodyKind: 'none' }),
    at('POST', `${named}/acs`, 'federation.acs', 200, finish(finishSaml), { access: 'public', bodyKind: 'raw' }),
  ]
}

/** The providers by which somebody may log in at the dashboard: those that are asked here, are there and are enabled. */
export async function webSignOns(house: Keystone): Promise<WebSignOn[]> {
  const asked = [...[...house.relyingParties.values()].map((one) => one.provider), ...[...house.saml.providers.values()].filter((one) => !one.keystone)]
  const found = await Promise.all(
    asked.map(async ({ idp_id, protocol_id }): Promise<WebSignOn[]> => {
      const [idp, protocol] = await Promise.all([findRow(house.db, 'keystone_identity_providers', { id: idp_id }), findRow(house.db, 'keystone_protocols', { idp_id, id: protocol_id })])
      return idp?.enabled === 1 && protocol ? [{ idp_id, protocol_id, name: idp.description || idp_id }] : []
    }),
  )
  return found.flat()
}

/** Whom a browser means that names a protocol only: the one provider that is asked here by it, else the one whose remote id the web server passes on. */
async function idpOf(house: Keystone, rq: Rq, protocol_id: string): Promise<string> {
  const asked = [...[...house.relyingParties.values()].map((one) => one.provider), ...house.saml.providers.values()]
  const own = asked.filter((one) => one.protocol_id === protocol_id).map((one) => one.idp_id)
  if (own.length === 1) return own[0]!
  if (own.length > 1) throw invalid(`Several identity providers speak ${protocol_id}: name one, by /v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/${protocol_id}/websso`, { field: 'protocol_id' })
  const headers = headersOfPeer(house, rq.http.headers, rq.http.remote)
  const name = house.config.federation.remote_id_attribute
  const value = name === null ? undefined : oneValue(headers, name)
  const row = value === undefined ? undefined : await findRow(house.db, 'keystone_idp_remote_ids', { remote_id: value })
  return row?.idp_id ?? refused('No identity provider has this remote id')
}
