/**
 * The way of every request of every service, always through the same doors:
 *
 *   request id → scope and span → route → token → version → body → (policy) → schema → handler → answer or fault, in the dialect
 *
 * A service adds no door of its own. What differs between services is data in its `Dialect` and its `Route`s.
 */
import { asFault, Fault, faultChain, invalid, unauthenticated } from '#base/fault.ts'
import { isRequestId, requestId } from '#base/ids.ts'
import { type HttpHandler, type HttpHeaders, type HttpRequest, type HttpResponse, readBody } from '#base/http/message.ts'
import { router } from '#base/http/router.ts'
import { runInScope, type Scope } from '#base/scope.ts'
import { Secret } from '#base/secret.ts'
import type { World } from '#base/world.ts'
import { type Authorizer, ownTarget, refuse } from './authorize.ts'
import { assertHolder } from './client-certificate.ts'
import { anonymous, type Context } from './context.ts'
import { type Dialect, JSON_HEADERS, statusOf, unauthorizedBody } from './dialect.ts'
import type { PolicyTarget, Reply, Route, Rq } from './route.ts'
import { schemaAssert } from './schema.ts'
import { tokenIn, type TokenDoor } from './token-door.ts'
import { type ApiVersion, atVersion, formatVersion, negotiate } from './version.ts'

export interface CorridorParts {
  world: World
  dialect: Dialect
  routes: readonly Route[]
  tokens: TokenDoor
  authorizer: Authorizer
  /** For `WWW-Authenticate`: where tokens are to be had, as the client reaches it. */
  identityUrl: (request: HttpRequest) => string
}

/** All routes of one method and path: variants by version, or actions. */
interface Station {
  variants: Route[]
  actions: Map<string, Route[]>
}

interface Journey {
  context: Context
  version: ApiVersion
  request_id: string
  scope: Scope
  /** The last thing that policy refused, which may or may not become the answer. */
  refused?: { rule: string; target: PolicyTarget }
}

export function corridor(parts: CorridorParts): HttpHandler {
  const { world, dialect } = parts
  const log = world.log.module(`${dialect.service}.api`)
  const stations = router<Station>()
  for (const [key, routes] of Map.groupBy(parts.routes, (one) => `${one.method} ${one.path.replaceAll(/\{(\w+)\}/g, '{}')}`)) {
    const station: Station = {
      variants: routes.filter((one) => one.action === undefined),
      actions: Map.groupBy(routes.filter((one) => one.action !== undefined), (one) => one.action!),
    }
    stations.add(key.split(' ')[0]!, routes[0]!.path, station)
  }

  const travel = async (request: HttpRequest, journey: Journey): Promise<HttpResponse> => {
    const method = request.method
    const nameless = dialect.slashMatters === true && request.path.endsWith('/') && /^\/v\d[^/]*\/.*[^/]\/$/.test(request.path)
    const found = nameless ? undefined : stations.find(method, request.path) ?? (method === 'HEAD' ? stations.find('GET', request.path) : undefined)
    const first = found?.route.variants[0] ?? found?.route.actions.values().next().value?.[0]
    if (!found && dialect.lost) throw lost(stations.methodsOf(request.path), method, () => dialect.lost!(request))
    const access = first?.access ?? 'token'
    if (access !== 'public') await authenticate(parts, request, journey, access === 'token')
    if (dialect.versions) journey.version = version(dialect, request)
    if (!found) throw lost(nameless ? [] : stations.methodsOf(request.path), method)

    const station = found.route
    // Without actions the version alone chooses; an action stands in the body.
    const variant = station.actions.size > 0 ? undefined : (station.variants.find((one) => speaks(one, journey.version)) ?? missing())
    if (dialect.strictMedia) assertMedia(request, variant)
    const kind = (variant ?? first)?.bodyKind
    const parsed = kind === 'raw' || kind === 'none' ? undefined : await json(request, dialect)
    const chosen = variant ?? action(station, parsed, journey.version)

    const rq = requestOf(parts, request, journey, found.params, parsed, chosen)
    if (dialect.order === 'authorize-first' && chosen.policy) rq.authorize(chosen.policy)
    const query = chosen.query && atVersion(chosen.query, journey.version)
    if (query) schemaAssert(query, queryObject(rq.query), dialect.queryError ?? dialect.schemaError)
    const body = chosen.body && atVersion(chosen.body, journey.version)
    if (body) {
      if (parsed === undefined) throw invalid('Malformed request body: a JSON body is required.')
      schemaAssert(body, parsed, dialect.schemaError)
    }
    if (dialect.order === 'validate-first' && chosen.policy) rq.authorize(chosen.policy)

    const span = world.trace.open(journey.scope, 'rest', dialect.service, chosen.name)
    let reply: Reply
    try {
      reply = await chosen.handle(rq as Rq<never>)
    } catch (thrown) {
      span.close(thrown)
      throw thrown
    }
    span.close()
    return finish(journey, chosen, reply)
  }

  const pass = async (request: HttpRequest, journey: Journey): Promise<HttpResponse> => {
    const began = performance.now()
    let response: HttpResponse
    try {
      response = await travel(request, journey)
    } catch (thrown) {
      response = refusal(parts, request, journey, thrown, log)
    }
    stamp(dialect, journey, response.headers)
    const { user_id, project_id, user_domain_id, project_domain_id } = journey.context
    log.info(`${request.method} ${request.path}`, { status: response.status, ms: Math.round((performance.now() - began) * 10) / 10, remote: request.remote, user_id, project_id, user_domain_id, project_domain_id })
    return response
  }

  return (request) => {
    const given = request.headers['x-openstack-request-id']
    const global_request_id = given !== undefined && isRequestId(given) ? given : undefined
    const request_id = requestId(world.random)
    const scope: Scope = global_request_id === undefined ? { request_id } : { request_id, global_request_id }
    const journey: Journey = { context: anonymous(request_id, global_request_id), version: dialect.versions?.min ?? 0, request_id, scope }
    return runInScope(scope, () => pass(request, journey))
  }
}

async function authenticate(parts: CorridorParts, request: HttpRequest, journey: Journey, required: boolean): Promise<void> {
  const token = tokenIn(request.headers)
  const facts = token === undefined ? undefined : await parts.tokens.facts(token, journey.request_id)
  if (!facts) {
    if (required) throw unauthenticated('The request you have made requires authentication.', { code: 'token' })
    return
  }
  const service = request.headers['x-service-token']
  const serviceFacts = service === undefined ? undefined : await parts.tokens.facts(service, journey.request_id)
  if (request.remote !== 'local' && !serviceFacts?.roles.includes('service')) assertHolder(facts, request) // Houses acting for users have no key of theirs.
  const { global_request_id } = journey.context
  journey.context = {
    ...facts,
    is_admin: false,
    token: new Secret(token!),
    service_roles: serviceFacts?.roles ?? [],
    request_id: journey.request_id,
    ...(global_request_id === undefined ? {} : { global_request_id }),
  }
  if (facts.access_rules) allowByAccessRule(parts.dialect, facts.access_rules, request)
}

/** An application credential with access rules may do what one of them names, and nothing else. */
function allowByAccessRule(dialect: Dialect, rules: readonly { service: string; method: string; path: string }[], request: HttpRequest): void {
  const fits = rules.some((rule) => {
    if (rule.method !== request.method || rule.service !== dialect.serviceType) return false
    const pattern = rule.path.replaceAll(/[.+?^$()|[\]\\]/g, String.raw`\$&`).replaceAll(/\{[^}]*\}|:\w+/g, '[^/]+').replaceAll('**', '\0').replaceAll('*', '[^/]*').replaceAll('\0', '.*')
    return new RegExp(`^${pattern}$`).test(request.path)
  })
  if (!fits) throw unauthenticated('The request is not covered by the access rules of this application credential.', { code: 'token' })
}

function version(dialect: Dialect, request: HttpRequest): ApiVersion {
  const rules = dialect.versions!
  const negotiated = negotiate(rules, request.headers)
  if ('version' in negotiated) return negotiated.version
  if ('bad' in negotiated) {
    throw invalid(`API Version String ${negotiated.bad} is of invalid format. Must be of format MajorNum.MinorNum.`, { field: 'OpenStack-API-Version' })
  }
  const range = `Minimum is ${formatVersion(rules.min)} and maximum is ${formatVersion(rules.max)}.`
  throw new Fault('not_acceptable', `Version ${negotiated.unsupported} is not supported by the API. ${range}`, {
    data: { asked: negotiated.unsupported, min_version: formatVersion(rules.min), max_version: formatVersion(rules.max) },
  })
}

function missing(): never {
  throw new Fault('not_found', 'The resource could not be found.')
}

/** What `strictMedia` asks for. */
function assertMedia(request: HttpRequest, route: Route | undefined): void {
  const type = request.headers['content-type']?.split(';')[0]!.trim().toLowerCase()
  if (request.body !== undefined && !type) throw invalid('content-type header required when content-length > 0')
  if (route?.body && type !== 'application/json') {
    throw new Fault('unsupported_media', `The media type ${type ?? 'None'} is not supported, use application/json`)
  }
  const accept = request.method === 'GET' ? request.headers.accept : undefined
  const allowed = accept?.split(',').some((one) => /^\s*(\*\/\*|application\/(\*|json))\s*(;|$)/i.test(one) && !/;\s*q=0(\.0*)?\s*(;|$)/i.test(one))
  if (allowed === false) throw new Fault('not_acceptable', 'Only application/json is provided')
}

function lost(methods: string[], method: string, nothing = (): Fault => new Fault('not_found', 'The resource could not be found.')): Fault {
  if (methods.length === 0) return nothing()
  return new Fault('method_not_allowed', `The method ${method} is not allowed for this resource.`, { data: { allow: methods.join(', ') } })
}

async function json(request: HttpRequest, dialect: Dialect): Promise<unknown> {
  if (request.body === undefined) return undefined
  const bytes = await readBody(request.body, dialect.maxBody)
  if (!bytes) throw new Fault('too_large', `The request body is larger than ${dialect.maxBody} bytes.`)
  if (bytes.length === 0) return undefined
  const type = request.headers['content-type']
  if (type && !/json|^text\/plain|^application\/octet-stream/i.test(type)) {
    throw new Fault('unsupported_media', `Unsupported Content-Type ${type}: use application/json.`)
  }
  try {
    return JSON.parse(bytes.toString())
  } catch (thrown) {
    throw invalid('Malformed JSON in request body', { cause: thrown })
  }
}

function speaks(route: Route, version: ApiVersion): boolean {
  return (route.since === undefined || version >= route.since) && (route.until === undefined || version <= route.until)
}

function action(station: Station, parsed: unknown, version: ApiVersion): Route {
  const keys = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? Object.keys(parsed) : []
  if (keys.length === 0) throw invalid('Malformed request body: an action is required.')
  const named = keys.find((key) => station.actions.has(key))
  const chosen = named && station.actions.get(named)!.find((one) => speaks(one, version))
  if (!chosen) throw invalid(`There is no such action: ${keys[0]!.slice(0, 100)}`, { field: keys[0]! })
  return chosen
}

/** Handlers read a query and never change it. */
const NO_QUERY = new URLSearchParams()

function requestOf(parts: CorridorParts, request: HttpRequest, journey: Journey, params: Record<string, string>, parsed: unknown, chosen: Route): Rq {
  const { authorizer, dialect } = parts
  const { context } = journey
  const allows = (rule: string, target: PolicyTarget = ownTarget(context)): boolean => authorizer.check(rule, target, context)
  return {
    context,
    params,
    query: request.query === '' ? NO_QUERY : new URLSearchParams(request.query),
    body: chosen.action === undefined ? parsed : (parsed as Record<string, unknown>)[chosen.action],
    version: journey.version,
    http: request,
    base: request.origin + (request.mount ?? ''),
    allows,
    authorize(rule, target) {
      if (allows(rule, target)) return
      journey.refused = { rule, target: target ?? ownTarget(context) }
      refuse(dialect, rule)
    },
  }
}

function queryObject(query: URLSearchParams): Record<string, string[]> {
  const out: Record<string, string[]> = {}
  for (const [key, value] of query) (out[key] ??= []).push(value)
  return out
}

function finish(journey: Journey, chosen: Route, reply: Reply): HttpResponse {
  const status = reply.status ?? atVersion(chosen.status, journey.version) ?? 200
  const headers: HttpHeaders = reply.headers ?? {}
  if (reply.json !== undefined) {
    headers['content-type'] ??= 'application/json'
    return { status, headers, body: JSON.stringify(reply.json) }
  }
  return { status, headers, body: reply.body }
}

function refusal(parts: CorridorParts, request: HttpRequest, journey: Journey, thrown: unknown, log: World['log']): HttpResponse {
  const fault = asFault(thrown)
  const { dialect } = parts
  const status = statusOf(dialect, fault)
  if (status >= 500) log.error('Failed to answer a request', { error: faultChain(thrown), stack: thrown instanceof Error ? (thrown.cause instanceof Error ? thrown.cause.stack : thrown.stack) : undefined })
  else if (status === 403) log.info(fault.code === 'policy' ? 'Refused by policy' : 'Refused', whyRefused(parts, journey, fault))
  if (fault.kind === 'unauthenticated' && fault.code === 'token') {
    const headers = { ...JSON_HEADERS, 'www-authenticate': `Keystone uri="${parts.identityUrl(request)}"` }
    if (dialect.service !== 'keystone' && dialect.service !== 'placement') return { status: 401, headers, body: unauthorizedBody() }
    const own = dialect.errorBody(fault, 401, journey.request_id, request, journey.version)
    return { status: 401, headers: { ...own.headers, 'www-authenticate': headers['www-authenticate'] }, body: own.body }
  }
  const { headers, body } = dialect.errorBody(fault, status, journey.request_id, request, journey.version)
  if (typeof fault.data.allow === 'string') headers.allow = fault.data.allow
  if (typeof fault.data.retry_after === 'number') headers['retry-after'] = String(fault.data.retry_after)
  return { status, headers, body }
}

/** Names of rules, checks and roles; never a value of the request or the token. */
function whyRefused({ authorizer }: CorridorParts, { refused, context }: Journey, fault: Fault): Record<string, unknown> {
  if (fault.code !== 'policy') return { why: fault.message }
  const explained = refused && refused.rule === fault.data.rule ? authorizer.explain?.(refused.rule, refused.target, context) : undefined
  return { rule: fault.data.rule, ...explained }
}

function stamp(dialect: Dialect, journey: Journey, headers: HttpHeaders): void {
  for (const name of ['x-openstack-request-id', ...(dialect.requestIdHeaders ?? [])]) headers[name] = dialect.requestIdText?.(journey.request_id) ?? journey.request_id
  const { versions } = dialect
  if (versions) {
    const text = formatVersion(journey.version)
    headers['openstack-api-version'] ??= `${versions.type} ${text}`
    if (versions.legacyHeader === undefined) headers.vary ??= 'OpenStack-API-Version'
    else {
      headers[versions.legacyHeader.toLowerCase()] ??= text
      headers.vary ??= ['OpenStack-API-Version', versions.legacyHeader]
    }
  }
  if (dialect.headers) Object.assign(headers, dialect.headers(journey.version))
}
