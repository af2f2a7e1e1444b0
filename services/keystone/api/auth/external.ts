/**
 * The method `external`: a web server in front has found out who this is (by Kerberos, a client certificate, HTTP authentication) and says so as
 * REMOTE_USER. It is believed from the peers of `keystone.external.trust_headers_from` alone, of which there are none by default (A10).
 */
import { unauthenticated } from '#base/fault.ts'
import { oneValue } from '../../core/attributes.ts'
import { projectByName } from '../../store/projects.ts'
import { userByName } from '../../store/users.ts'
import type { Keystone } from '../house.ts'
import type { AuthRequest } from './authenticate.ts'

const refused = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

export const isFront = (house: Keystone, remote: string): boolean => house.config.external.trust_headers_from.includes(remote)

/** The user whom the web server names; 401 when it names nobody we know. */
export async function externalUser(house: Keystone, { headers, remote }: AuthRequest): Promise<string> {
  if (!isFront(house, remote)) return refused('The peer is not one whose REMOTE_USER is believed')
  const name = oneValue(headers, 'REMOTE_USER')
  if (!name) return refused('The peer names no user')
  const { default_domain, use_remote_domain } = house.config.external
  const domain = use_remote_domain ? oneValue(headers, 'REMOTE_DOMAIN') : undefined
  const domain_id = domain ? (await projectByName(house.db, '', domain))?.id : default_domain
  const user = domain_id === undefined ? undefined : await userByName(house.db, domain_id, name)
  return user && user.federated !== 1 ? user.id : refused('The peer names a user who is not there')
}
