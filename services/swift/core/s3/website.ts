/** A bucket as a web site: its index and error documents, and where else it sends visitors. */
import { s3Fault } from './errors.ts'
import { child, childrenOf, type Element, parseXml, textOf, type XmlTree } from './xml.ts'

export interface Redirect {
  protocol?: string
  host?: string
  /** HTTP status. Default 301. */
  status?: number
  replace_prefix?: string
  replace_key?: string
}
export interface RoutingRule {
  prefix?: string
  /** Only where the answer would be this error. */
  error?: number
  redirect: Redirect
}
export interface Website {
  all?: { host: string; protocol?: string }
  index?: string
  error?: string
  rules: readonly RoutingRule[]
}

export function parseWebsite(bytes: Uint8Array): Website {
  const element = parseXml(bytes, 'WebsiteConfiguration')
  const all = child(element, 'RedirectAllRequestsTo')
  if (all) {
    const host = textOf(all, 'HostName')
    if (!host || element.children.length > 1) throw s3Fault('MalformedXML')
    return { all: { host: hostName(host), ...protocolOf(all) }, rules: [] }
  }
  const [index, error, rules] = ['IndexDocument', 'ErrorDocument', 'RoutingRules'].map((name) => child(element, name))
  const suffix = index && textOf(index, 'Suffix')
  if (!suffix || suffix.includes('/')) throw s3Fault('InvalidArgument', 'The IndexDocument Suffix is not well formed', { ArgumentName: 'IndexDocument' })
  const key = error && textOf(error, 'Key')
  if (error && !key) throw s3Fault('MalformedXML')
  const list = rules ? childrenOf(rules, 'RoutingRule').map(ruleOf) : []
  if (list.length > 50) throw s3Fault('InvalidRequest', 'A website has at most 50 routing rules.')
  return { index: suffix, ...(key ? { error: key } : {}), rules: list }
}

function hostName(text: string): string {
  if (!/^[\w.-]{1,255}(:\d{1,5})?$/.test(text)) throw s3Fault('InvalidRequest', 'The host name of a redirect is malformed.')
  return text
}

function protocolOf(element: Element): { protocol?: string } {
  const protocol = textOf(element, 'Protocol')
  if (protocol === undefined) return {}
  if (protocol !== 'http' && protocol !== 'https') throw s3Fault('InvalidRequest', 'Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.')
  return { protocol }
}

function ruleOf(element: Element): RoutingRule {
  const [condition, to] = [child(element, 'Condition'), child(element, 'Redirect')]
  if (!to) throw s3Fault('MalformedXML')
  const [prefix, error] = [condition && textOf(condition, 'KeyPrefixEquals'), condition && textOf(condition, 'HttpErrorCodeReturnedEquals')]
  const [host, status, replace_prefix, replace_key] = ['HostName', 'HttpRedirectCode', 'ReplaceKeyPrefixWith', 'ReplaceKeyWith'].map((name) => textOf(to, name))
  if (error !== undefined && !/^[45]\d\d$/.test(error)) throw s3Fault('InvalidRequest', 'The provided HTTP error code is not valid. Valid codes are 4XX or 5XX.')
  if (status !== undefined && !/^3\d\d$/.test(status)) throw s3Fault('InvalidRequest', 'The provided HTTP redirect code is not valid. Valid codes are 3XX except 300.')
  if (replace_prefix !== undefined && replace_key !== undefined) throw s3Fault('InvalidRequest', 'You can only define ReplaceKeyPrefix or ReplaceKey but not both.')
  return {
    ...(prefix === undefined ? {} : { prefix }), ...(error === undefined ? {} : { error: Number(error) }),
    redirect: { ...protocolOf(to), ...(host === undefined ? {} : { host: hostName(host) }), ...(status === undefined ? {} : { status: Number(status) }), ...(replace_prefix === undefined ? {} : { replace_prefix }), ...(replace_key === undefined ? {} : { replace_key }) },
  }
}

export function websiteTree({ all, index, error, rules }: Website): XmlTree {
  if (all) return { RedirectAllRequestsTo: { HostName: all.host, Protocol: all.protocol } }
  return {
    IndexDocument: { Suffix: index },
    ErrorDocument: error === undefined ? undefined : { Key: error },
    RoutingRules: rules.length === 0 ? undefined : {
      RoutingRule: rules.map(({ prefix, error: code, redirect }) => ({
        Condition: prefix === undefined && code === undefined ? undefined : { KeyPrefixEquals: prefix, HttpErrorCodeReturnedEquals: code },
        Redirect: { Protocol: redirect.protocol, HostName: redirect.host, ReplaceKeyPrefixWith: redirect.replace_prefix, ReplaceKeyWith: redirect.replace_key, HttpRedirectCode: redirect.status },
      })),
    },
  }
}

/** The rule for a key whose answer would be `status` (undefined: not known yet, so rules for errors do not count). */
export const ruleFor = (site: Website, key: string, status?: number): RoutingRule | undefined =>
  site.rules.find(({ prefix, error }) => (prefix === undefined || key.startsWith(prefix)) && (status === undefined ? error === undefined : error === status))

/** `origin`: of this request; the key is escaped, so that nothing ends up in a header. */
export function locationOf({ prefix = '', redirect }: RoutingRule, key: string, origin: string): string {
  const next = redirect.replace_key ?? (redirect.replace_prefix === undefined ? key : redirect.replace_prefix + key.slice(prefix.length))
  const here = new URL(origin)
  return `${redirect.protocol ?? here.protocol.slice(0, -1)}://${redirect.host ?? here.host}/${next.split('/').map(encodeURIComponent).join('/')}`
}
