/** `POST /v3/auth/tokens`: every method that the body names must say yes, all of one user; then the scope. */
import { Fault, forbidden, invalid, unauthenticated } from '#base/fault.ts'
import type { Row } from '#stack/resource/resource.ts'
import { projectByName } from '../../store/projects.ts'
import { findRow, findRows } from '../../store/rows.ts'
import { consumeTrust } from '../../store/trusts.ts'
import type { Keystone } from '../house.ts'
import { checked } from '../steps.ts'
import { isFront } from './external.ts'
import { methodPlugins, type MethodAnswer } from './methods.ts'
import { demandAllFactors, methodsOfReceipt } from './receipts.ts'
import type { TokenWish } from './token-office.ts'

const ID = { type: 'string', minLength: 1, maxLength: 255 }
const NAMED = { type: 'object', properties: { id: ID, name: ID } }
const USER = { type: 'object', properties: { id: ID, name: ID, password: { type: 'string' }, domain: NAMED, passcode: { type: 'string' } } }

export const AUTH_BODY = {
  type: 'object',
  required: ['auth'],
  properties: {
    auth: {
      type: 'object',
      required: ['identity'],
      properties: {
        identity: {
          type: 'object',
          required: ['methods'],
          properties: {
            methods: { type: 'array', items: { type: 'string' }, minItems: 1 },
            password: { type: 'object', required: ['user'], properties: { user: { ...USER, required: ['password'] } } },
            token: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } },
            totp: { type: 'object', required: ['user'], properties: { user: { ...USER, required: ['passcode'] } } },
            application_credential: { type: 'object', required: ['secret'], properties: { id: ID, name: ID, secret: { type: 'string' }, user: USER } },
          },
        },
        scope: {
          anyOf: [
            { const: 'unscoped' },
            {
              type: 'object',
              properties: {
                project: { type: 'object', properties: { id: ID, name: ID, domain: NAMED } },
                domain: NAMED,
                system: { type: 'object', properties: { all: { const: true } } },
                'OS-TRUST:trust': { type: 'object', required: ['id'], properties: { id: ID } },
              },
            },
          ],
        },
      },
    },
  },
}

export interface AuthRequest {
  body: unknown
  headers: Readonly<Record<string, string>>
  /** Address of the peer, for what is only believed from some. */
  remote: string
  /** DER of what the client has shown to a TLS front that is believed. */
  certificate?: Uint8Array | undefined
  method: string
  url: string
  query: string
}

const refused = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

/** Who is known from outside need name no method. */
function nameExternal(body: unknown): void {
  const identity = (body as { auth?: { identity?: { methods?: unknown } } } | undefined)?.auth?.identity
  if (Array.isArray(identity?.methods) && identity.methods.length === 0) identity.methods.push('external')
}

export async function authenticate(house: Keystone, request: AuthRequest): Promise<TokenWish> {
  if (isFront(house, request.remote)) nameExternal(request.body)
  checked(AUTH_BODY, request.body)
  const auth = (request.body as { auth: { identity: Row & { methods: string[] }; scope?: unknown } }).auth
  const methods = [...new Set(auth.identity.methods)]
  const receipt = await methodsOfReceipt(house, request.headers['openstack-auth-receipt'])
  const answers: MethodAnswer[] = []
  for (const method of methods) {
    const plugin = methodPlugins[method]
    if (!plugin) throw unauthenticated('Attempted to authenticate with an unsupported method.')
    if (auth.identity[method] === undefined && !plugin.bare) throw invalid(`Expecting to find ${method} in identity. The server could not comply with the request since it is either malformed or otherwise incorrect.`, { field: method })
    answers.push(await plugin.run(house, (auth.identity[method] ?? {}) as Row, request, auth.scope))
  }
  const user_id = answers[0]!.user_id
  if (answers.some((one) => one.user_id !== user_id)) refused('The methods name different users')
  if (receipt && receipt.user_id !== user_id) refused('The receipt is for another user')
  const all = [...new Set([...methods, ...answers.flatMap((one) => one.methods ?? []), ...(receipt?.methods ?? [])])]
  const wish: TokenWish = { user_id, methods: all }
  for (const answer of answers) Object.assign(wish, answer.wish)
  await demandAllFactors(house, user_id, all)
  return scoped(house, wish, auth.scope, answers)
}

async function scoped(house: Keystone, wish: TokenWish, scope: unknown, answers: readonly MethodAnswer[]): Promise<TokenWish> {
  const implied = answers.find((one) => one.scope)?.scope
  if (implied) {
    if (scope !== undefined && scope !== 'unscoped' && implied.application_credential_id !== undefined) throw unauthenticated('Application credentials cannot request a scope.')
    return { ...wish, ...implied }
  }
  if (answers.some((one) => one.bound)) {
    // A delegated token may only be renewed for what it is bound to.
    const bound = answers.find((one) => one.bound)!.bound!
    if (scope !== undefined) {
      const asked = await resolveScope(house, wish.user_id, scope)
      if (asked.project_id !== bound.project_id || asked.trust_id !== undefined) throw forbidden('You are not authorized to perform the requested action: a delegated token cannot be exchanged for one of another scope.')
    }
    return { ...wish, ...bound }
  }
  if (scope === undefined) {
    const federated = wish.identity_provider_id !== undefined
    return federated ? wish : { ...wish, ...(await defaultScope(house, wish)) }
  }
  return { ...wish, ...(await resolveScope(house, wish.user_id, scope)) }
}

/** The user's default project, when the user may work there. */
async function defaultScope(house: Keystone, wish: TokenWish): Promise<Partial<TokenWish>> {
  const user = await findRow(house.db, 'keystone_users', { id: wish.user_id })
  if (!user?.default_project_id) return {}
  try {
    const { known } = await house.tokens.issue({ ...wish, project_id: user.default_project_id })
    return { project_id: known.project!.id }
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === 'unauthenticated') return {}
    throw thrown
  }
}

interface Named {
  id?: string
  name?: string
  domain?: Named
}

async function resolveScope(house: Keystone, user_id: string, scope: unknown): Promise<Partial<TokenWish>> {
  if (scope === 'unscoped') return {}
  const asked = scope as { project?: Named; domain?: Named; system?: { all?: boolean }; 'OS-TRUST:trust'?: { id: string }; unscoped?: object }
  const kinds = (['project', 'domain', 'system', 'OS-TRUST:trust'] as const).filter((key) => asked[key] !== undefined)
  if (kinds.length > 1) throw invalid(`Expecting to find exactly one of project, domain, system or OS-TRUST:trust in scope.`, { field: 'scope' })
  if (asked.project) return { project_id: await projectOf(house, asked.project) }
  if (asked.domain) return { domain_id: await domainOf(house, asked.domain) }
  if (asked.system) {
    if (asked.system.all !== true) throw invalid('Expecting to find all in system.', { field: 'scope' })
    return { system: 'all' }
  }
  if (asked['OS-TRUST:trust']) return trustScope(house, user_id, asked['OS-TRUST:trust'].id)
  return {}
}

async function projectOf(house: Keystone, asked: Named): Promise<string> {
  if (asked.id !== undefined) return asked.id
  if (asked.name === undefined) throw invalid('Expecting to find id or name in project.', { field: 'project' })
  if (!asked.domain) throw invalid('Expecting to find domain in project.', { field: 'project' })
  const domain_id = await domainOf(house, asked.domain)
  const found = await projectByName(house.db, domain_id, asked.name)
  if (found) return found.id
  // A project that acts as a domain has the domain's name and stands in no other.
  const domain = await findRow(house.db, 'keystone_projects', { id: domain_id })
  return domain?.name === asked.name ? domain.id : refused('No such project')
}

/** The id of a domain given by id or name; 401 when there is none. */
export async function domainOf(house: Keystone, asked: Named): Promise<string> {
  if (asked.id !== undefined) return asked.id
  if (asked.name === undefined) throw invalid('Expecting to find id or name in domain.', { field: 'domain' })
  return (await projectByName(house.db, '', asked.name))?.id ?? (await domainSpelt(house, asked.name)) ?? refused('No such domain')
}

/** Keystone on MySQL reads names in any case, and so half of the world logs in to the domain `default`. */
async function domainSpelt(house: Keystone, name: string): Promise<string | undefined> {
  const alike = (await findRows(house.db, 'keystone_projects', { domain_id: '' })).filter((one) => one.name.toLowerCase() === name.toLowerCase())
  return alike.length === 1 ? alike[0]!.id : undefined
}

async function trustScope(house: Keystone, user_id: string, id: string): Promise<Partial<TokenWish>> {
  const trust = await findRow(house.db, 'keystone_trusts', { id })
  if (!trust || trust.deleted_at !== null) throw unauthenticated('The request you have made requires authentication.', { detail: 'No such trust' })
  if (trust.trustee_user_id !== user_id) throw forbidden('User is not a trustee.')
  if (trust.remaining_uses !== null) await consumeTrust(house.db, id)
  return { trust_id: id, ...(trust.project_id === null ? {} : { project_id: trust.project_id }) }
}
