/** Whether an assertion that its provider has signed is for us, now and for this login; and what it says of whom. */
import type { Attributes } from '../attributes.ts'
import { childrenOf, only, refuse, type XmlElement } from './xml.ts'

export interface Expected {
  /** Entity id of the provider. */
  issuer: string
  /** Our entity id. */
  audience: string
  /** A Keystone names no audience: the recipient alone binds its assertions. */
  audienceOptional: boolean
  /** Where the assertion was to be brought, which is where it came. */
  recipient: string
  /** Id of our request; undefined: there was none, and the assertion must not speak of one. */
  request_id: string | undefined
  /** Milliseconds. */
  now: number
}

export interface Asserted {
  id: string
  /** Milliseconds until which it could be shown again. */
  good_until: number
  attributes: Attributes
}

const SUCCESS = 'urn:oasis:names:tc:SAML:2.0:status:Success'
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer'
/** Milliseconds by which clocks may differ. */
const SKEW = 30_000
/** An assertion older than this is not taken, whatever it says itself: so what is remembered of each is soon forgotten. */
const OLDEST = 600_000

export function judgeAssertion(response: XmlElement, assertion: XmlElement, expected: Expected): Asserted {
  const status = only(only(response, 'protocol', 'Status'), 'protocol', 'StatusCode').attributes.get('Value')
  if (status !== SUCCESS) refuse(`The provider answered ${String(status)}`)
  for (const [name, wanted] of [['Destination', expected.recipient], ['InResponseTo', expected.request_id]] as const) {
    const value = response.attributes.get(name)
    if (value !== undefined && value !== wanted) refuse(`${name} of the response is not ours`)
  }
  for (const message of [response, assertion]) if (message.attributes.get('Version') !== '2.0') refuse('Only SAML 2.0 is read')
  for (const issuer of [...childrenOf(response, 'assertion', 'Issuer'), only(assertion, 'assertion', 'Issuer')]) if (issuer.text.trim() !== expected.issuer) refuse('It is of another issuer')
  const { now } = expected
  const issued = instant(assertion, 'IssueInstant') ?? refuse('The assertion does not say when it was made')
  if (issued > now + SKEW || issued < now - OLDEST - SKEW) refuse('The assertion was not made just now')
  const subject = only(assertion, 'assertion', 'Subject')
  const good_until = Math.min(confirmed(subject, expected), issued + OLDEST) + SKEW
  assertConditions(assertion, expected)
  const statements = childrenOf(assertion, 'assertion', 'AuthnStatement')
  if (statements.length === 0) refuse('The assertion does not say that somebody logged in')
  for (const one of statements) if ((instant(one, 'SessionNotOnOrAfter') ?? Infinity) <= now - SKEW) refuse('The session at the provider is over')
  return { id: assertion.attributes.get('ID')!, good_until, attributes: attributesOf(assertion, subject, expected.issuer) }
}

/** Until when one of its confirmations holds; 401 when none does. */
function confirmed(subject: XmlElement, { recipient, request_id, now }: Expected): number {
  let until = 0
  let why = 'It has no confirmation as a bearer'
  for (const one of childrenOf(subject, 'assertion', 'SubjectConfirmation')) {
    const [data] = childrenOf(one, 'assertion', 'SubjectConfirmationData')
    if (one.attributes.get('Method') !== BEARER || !data) continue
    const end = instant(data, 'NotOnOrAfter')
    if (data.attributes.get('Recipient') !== recipient) why = 'The assertion was to be brought elsewhere'
    else if (data.attributes.get('InResponseTo') !== request_id) why = 'The assertion is no answer to this login'
    else if (end === undefined || end <= now - SKEW) why = 'The assertion is over'
    else if ((instant(data, 'NotBefore') ?? 0) > now + SKEW) why = 'The assertion does not hold yet'
    else until = Math.max(until, end)
  }
  return until > 0 ? until : refuse(why)
}

function assertConditions(assertion: XmlElement, { audience, audienceOptional, now }: Expected): void {
  const found = childrenOf(assertion, 'assertion', 'Conditions')
  if (found.length > 1) refuse('The assertion has several conditions')
  const conditions = found[0]
  const restrictions = conditions ? childrenOf(conditions, 'assertion', 'AudienceRestriction') : []
  if (restrictions.length === 0 && !audienceOptional) refuse('The assertion names no audience')
  for (const one of restrictions) if (!childrenOf(one, 'assertion', 'Audience').some((name) => name.text.trim() === audience)) refuse('The assertion is for somebody else')
  if (!conditions) return
  if ((instant(conditions, 'NotBefore') ?? 0) > now + SKEW) refuse('The assertion does not hold yet')
  if ((instant(conditions, 'NotOnOrAfter') ?? Infinity) <= now - SKEW) refuse('The assertion is over')
  for (const one of conditions.children) if (!['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction'].includes(one.local)) refuse(`The condition ${one.local} is not known`)
}

/** Milliseconds; 401 for what is no instant of UTC. */
function instant(element: XmlElement, name: string): number | undefined {
  const text = element.attributes.get(name)
  if (text === undefined) return undefined
  const value = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(value) ? refuse(`${name} is no instant`) : value
}

/**
 * By Name and by FriendlyName, and with `MELLON_` before it as mod_auth_mellon has them. What the assertion says by its own elements (who, and which
 * provider) no attribute can say otherwise.
 */
function attributesOf(assertion: XmlElement, subject: XmlElement, issuer: string): Attributes {
  const found = new Map<string, readonly string[]>()
  const put = (name: string, values: readonly string[]): void => {
    for (const spelling of [name.toLowerCase(), `mellon_${name.toLowerCase()}`]) if (!found.has(spelling)) found.set(spelling, values)
  }
  for (const name of ['REMOTE_USER', 'NAME_ID']) put(name, childrenOf(subject, 'assertion', 'NameID').map((one) => one.text.trim()).filter(Boolean))
  for (const name of ['IDP', 'Shib-Identity-Provider', 'Shib_Identity_Provider']) put(name, [issuer])
  const all = childrenOf(assertion, 'assertion', 'AttributeStatement').flatMap((one) => childrenOf(one, 'assertion', 'Attribute'))
  for (const key of ['Name', 'FriendlyName']) {
    const named = Map.groupBy(all.filter((one) => one.attributes.get(key)), (one) => one.attributes.get(key)!)
    for (const [name, attributes] of named) {
      const values = attributes.flatMap((one) => childrenOf(one, 'assertion', 'AttributeValue')).filter((one) => one.children.length === 0).map((one) => one.text.trim()).filter(Boolean)
      if (values.length > 0) put(name, values)
    }
  }
  return Object.fromEntries([...found].filter(([, values]) => values.length > 0))
}
