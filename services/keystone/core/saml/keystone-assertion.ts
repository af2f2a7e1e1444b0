/** What a Keystone asserts of one of its users to another cloud, in the words that Keystones use for it; and its metadata as an identity provider. */
import { keyDescriptor, samlInstant } from './messages.ts'
import { signElement } from './signature.ts'
import { escapeXml, NS, tag } from './xml.ts'

export interface KeystoneAssertion {
  assertion_id: string
  response_id: string
  session_index: string
  entity_id: string
  /** The service provider's address for assertions. */
  recipient: string
  /** Milliseconds. */
  now: number
  until: number
  user: string
  user_domain: string
  project: string
  project_domain: string
  roles: readonly string[]
  groups: readonly { name: string; domain: { name: string } }[]
}

const ENTITY = 'urn:oasis:names:tc:SAML:2.0:nameid-format:entity'

/** The response with its signed assertion. */
export function keystoneResponse(said: KeystoneAssertion, key: string, certificate: string): string {
  const [issued, until] = [samlInstant(said.now), samlInstant(said.until)]
  const issuer = tag('saml:Issuer', { 'xmlns:saml': NS.assertion, Format: ENTITY }, escapeXml(said.entity_id))
  const confirmation = tag('saml:SubjectConfirmation', { Method: 'urn:oasis:names:tc:SAML:2.0:cm:bearer' }, tag('saml:SubjectConfirmationData', { NotOnOrAfter: until, Recipient: said.recipient }))
  const context = tag('saml:AuthnContext', {}, tag('saml:AuthnContextClassRef', {}, 'urn:oasis:names:tc:SAML:2.0:ac:classes:Password') + tag('saml:AuthenticatingAuthority', {}, escapeXml(said.entity_id)))
  const attributes: [string, readonly string[]][] = [
    ['openstack_user', [said.user]],
    ['openstack_roles', said.roles],
    ['openstack_project', [said.project]],
    ['openstack_project_domain', [said.project_domain]],
    ['openstack_user_domain', [said.user_domain]],
    ['openstack_groups', said.groups.map((group) => `JSON:${JSON.stringify(group)}`)],
  ]
  const statements = attributes.filter(([, values]) => values.length > 0).map(([Name, values]) => tag('saml:Attribute', { Name }, values.map((value) => tag('saml:AttributeValue', {}, escapeXml(value))).join('')))
  const content = [
    issuer,
    tag('saml:Subject', {}, tag('saml:NameID', {}, escapeXml(said.user)) + confirmation),
    tag('saml:Conditions', { NotBefore: issued, NotOnOrAfter: until }),
    tag('saml:AuthnStatement', { AuthnInstant: issued, SessionIndex: said.session_index, SessionNotOnOrAfter: until }, context),
    tag('saml:AttributeStatement', {}, statements.join('')),
  ].join('')
  const assertion = signElement(tag('saml:Assertion', { 'xmlns:saml': NS.assertion, ID: said.assertion_id, IssueInstant: issued, Version: '2.0' }, content), said.assertion_id, key, certificate)
  const status = tag('samlp:Status', {}, tag('samlp:StatusCode', { Value: 'urn:oasis:names:tc:SAML:2.0:status:Success' }))
  return tag('samlp:Response', { 'xmlns:samlp': NS.protocol, ID: said.response_id, IssueInstant: issued, Version: '2.0', Destination: said.recipient }, issuer + status + assertion)
}

export function identityProviderMetadata({ entity_id, sso, certificate }: { entity_id: string; sso: string; certificate: string }): string {
  const role = tag(
    'md:IDPSSODescriptor',
    { protocolSupportEnumeration: NS.protocol },
    keyDescriptor(certificate) + tag('md:NameIDFormat', {}, 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient') + tag('md:SingleSignOnService', { Binding: 'urn:oasis:names:tc:SAML:2.0:bindings:URI', Location: sso }),
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n${tag('md:EntityDescriptor', { 'xmlns:md': NS.metadata, entityID: entity_id }, role)}`
}
