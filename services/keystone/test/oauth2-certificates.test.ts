/** OAuth 2.0 with client certificates (RFC 8705): whose certificate it is, and that a token is worth nothing without it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HttpHandler } from '#base/http/message.ts'
import { clientCertificates, thumbprintOf } from '#stack/client-certificate.ts'
import { factsOfBody } from '../contract/token-facts.ts'
import { type KeystoneKit, keystoneKit } from './kit.ts'

/** Of `O=Default, CN=…`, signed by `O=Test CA, CN=root`; good for a hundred years. */
const CERTIFICATES = {
  alice: 'MIIBYjCCAQgCFD5pcmIBNL0E6deNyJjvY0ytvLdvMAoGCCqGSM49BAMCMCExEDAOBgNVBAoMB1Rlc3QgQ0ExDTALBgNVBAMMBHJvb3QwIBcNMjYxMTIxMDczMDI4WhgPMjEyNjEwMjgwNzMwMjhaMEQxEDAOBgNVBAoMB0RlZmF1bHQxDjAMBgNVBAMMBWFsaWNlMSAwHgYJKoZIhvcNAQkBFhFhbGljZUBleGFtcGxlLm9yZzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJvjM2fF4ZdB+l6CmEbrT91QWZrBLbwfkhXXOgPg6JjZdv4Jw5Cml1IbEn23LwEwuoTQM5+WObYnZUJJlrX1zCcwCgYIKoZIzj0EAwIDSAAwRQIgBSgdHArtFrl97xPEOFDzn1YulEQ6uvgF9HmxZhuPZAcCIQDgkdjbvi52SCotiLrO5RVbkZqErbLQny+xFb6NOEppBg==',
  bob: 'MIIBXjCCAQQCFD5pcmIBNL0E6deNyJjvY0ytvLdwMAoGCCqGSM49BAMCMCExEDAOBgNVBAoMB1Rlc3QgQ0ExDTALBgNVBAMMBHJvb3QwIBcNMjYxMTIxMDczMDI4WhgPMjEyNjEwMjgwNzMwMjhaMEAxEDAOBgNVBAoMB0RlZmF1bHQxDDAKBgNVBAMMA2JvYjEeMBwGCSqGSIb3DQEJARYPYm9iQGV4YW1wbGUub3JnMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEOnO/u017MoP2gshFyhzqIN3Chkh54FxrSSV0k+V+4BVGfH3do0+N47srSPscP+9Z/ezd+yncAp5LWfqUbtWETAKBggqhkjOPQQDAgNIADBFAiEAzGRFvIsmjsffkV9i7HPmk+RBy0WxRT6qdjgJt0nPdnkCIAx96HbKMuBuViXz6dUHdaqmaXntXiWMj13kK25X8CPw',
  /** `CN=alice, really`. */
  another: 'MIIBcTCCARYCFD5pcmIBNL0E6deNyJjvY0ytvLdxMAoGCCqGSM49BAMCMCExEDAOBgNVBAoMB1Rlc3QgQ0ExDTALBgNVBAMMBHJvb3QwIBcNMjYxMTIxMDczMDI4WhgPMjEyNjEwMjgwNzMwMjhaMFIxEDAOBgNVBAoMB0RlZmF1bHQxFjAUBgNVBAMMDWFsaWNlLCByZWFsbHkxJjAkBgkqhkiG9w0BCQEWF2FsaWNlcmVhbGx5QGV4YW1wbGUub3JnMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExHOJPFkjLlvMKwA6uneLwt+oj2jwe4+V3tmMvPnMvYFdTLGj97fv3zmvDhw3QMkFP5REi1KsmxzDFVCMrpUlijAKBggqhkjOPQQDAgNJADBGAiEAxDIqFfHwDWMl5534VJEPTl+pJx9Q2ORiG4QbiODVcXsCIQC6E1ZI5lF2ajnisV1DmOw+VrT7stt6ka85fnhAfgHzPA==',
} as const

const FRONT = '192.0.2.10'
let k: KeystoneKit
let admin: string
let alice: { id: string; project: string }

/** As the front door, seen by a peer of this address. */
const from = (remote: string): HttpHandler => {
  const door = clientCertificates((request) => k.keystone.handler(request), { trust_from: [FRONT], header: 'Client-Cert' })
  return (request) => door({ ...request, remote })
}
const shown = (who: keyof typeof CERTIFICATES): Record<string, string> => ({ 'client-cert': `:${CERTIFICATES[who]}:` })
const ask = (method: string, path: string, { remote = FRONT, ...options }: { remote?: string; headers?: Record<string, string>; body?: unknown; token?: string } = {}) =>
  k.kit.request(from(remote), method, path, { ...options, headers: { ...(options.token === undefined ? {} : { 'x-auth-token': options.token }), ...options.headers } })
const tokenFor = (id: string, headers: Record<string, string>, remote = FRONT) =>
  ask('POST', '/v3/OS-OAUTH2/token', { remote, body: `grant_type=client_credentials&client_id=${id}`, headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers } })

before(async () => {
  k = await keystoneKit()
  admin = await k.admin()
  const make = async (path: string, body: object) => (await k.ask('POST', path, { token: admin, body })).json
  const { project } = await make('/v3/projects', { project: { name: 'bound' } })
  const { user } = await make('/v3/users', { user: { name: 'alice', password: 'pw', email: 'alice@example.org', default_project_id: project.id } })
  const { roles } = (await k.ask('GET', '/v3/roles?name=member', { token: admin })).json
  assert.equal((await k.ask('PUT', `/v3/projects/${project.id}/users/${user.id}/roles/${roles[0].id}`, { token: admin })).status, 204)
  alice = { id: user.id, project: project.id }
  assert.equal((await tokenFor(alice.id, shown('alice'))).status, 401, 'without a mapping nobody is let in')
  const rules = [
    {
      local: [{ user: { name: '{0}', email: '{1}', domain: { name: '{2}' } } }],
      remote: [{ type: 'SSL_CLIENT_SUBJECT_DN_CN' }, { type: 'SSL_CLIENT_SUBJECT_DN_EMAILADDRESS' }, { type: 'SSL_CLIENT_SUBJECT_DN_O' }, { type: 'SSL_CLIENT_ISSUER_DN_CN', any_one_of: ['root'] }],
    },
  ]
  const made = await k.ask('PUT', '/v3/OS-FEDERATION/mappings/oauth2_mapping', { token: admin, body: { mapping: { rules } } })
  assert.equal(made.status, 201, made.text)
})
after(() => k.close())

test('a user with a certificate gets a token that is worth nothing without it', async () => {
  const answer = await tokenFor(alice.id, shown('alice'))
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual([answer.json.token_type, answer.json.expires_in], ['Bearer', 3600])
  const token = answer.json.access_token as string
  const projects = (headers: Record<string, string>, remote?: string) => ask('GET', '/v3/auth/projects', { headers, ...(remote ? { remote } : {}) })
  assert.equal((await projects({ 'x-auth-token': token, ...shown('alice') })).status, 200)
  assert.equal((await projects({ authorization: `Bearer ${token}`, ...shown('alice') })).status, 200)
  assert.equal((await projects({ 'x-auth-token': token })).status, 401, 'no certificate')
  assert.equal((await projects({ 'x-auth-token': token, ...shown('bob') })).status, 401, 'that of another')
  assert.equal((await projects({ 'x-auth-token': token, ...shown('alice') }, '192.0.2.99')).status, 401, 'from a peer that is not believed')

  const { token: body } = (await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': token } })).json
  assert.deepEqual(body.oauth2_credential, { 'x5t#S256': thumbprintOf(Buffer.from(CERTIFICATES.alice, 'base64')) })
  assert.deepEqual([body.methods, body.project.id, body.user.id], [['oauth2_credential'], alice.project, alice.id])
  assert.equal(factsOfBody(body).thumbprint, body.oauth2_credential['x5t#S256'], 'processes that ask over the wire know it too')
})

test('exchanging the token takes the certificate, and leaves it bound', async () => {
  const token = (await tokenFor(alice.id, shown('alice'))).json.access_token as string
  const exchange = (headers: Record<string, string>, scope?: object) => ask('POST', '/v3/auth/tokens', { headers, body: { auth: { identity: { methods: ['token'], token: { id: token } }, ...(scope ? { scope } : {}) } } })
  assert.equal((await exchange({})).status, 401)
  assert.equal((await exchange(shown('bob'))).status, 401)
  const again = await exchange(shown('alice'))
  assert.equal(again.status, 201, again.text)
  const child = String(again.headers['x-subject-token'])
  assert.equal((await ask('GET', '/v3/auth/projects', { token: child })).status, 401)
  assert.equal((await ask('GET', '/v3/auth/projects', { token: child, headers: shown('alice') })).status, 200)
  assert.equal((await exchange(shown('alice'), { domain: { id: 'default' } })).status, 403)
})

test('a certificate opens the account that the mapping finds in it, and no other', async () => {
  const { user: demo } = (await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': (await k.login('demo', 'demo-secret')).token } })).json.token
  const refusals: [string, string, Record<string, string>, string?][] = [
    ['another user', demo.id, shown('alice')],
    ['another certificate', alice.id, shown('bob')],
    ['a name that only begins alike', alice.id, shown('another')],
    ['nobody', 'f'.repeat(32), shown('alice')],
    ['no client_id', '', shown('alice')],
    ['no certificate', alice.id, {}],
    ['what is no certificate', alice.id, { 'client-cert': ':AAAA:' }],
    ['a peer that is not believed', alice.id, shown('alice'), '192.0.2.99'],
    ['the header of another kind of front', alice.id, { 'ssl-client-cert': CERTIFICATES.alice, ssl_client_cert: CERTIFICATES.alice }],
  ]
  for (const [what, id, headers, remote] of refusals) {
    const answer = await tokenFor(id, headers, remote)
    assert.equal(answer.status, 401, what)
    assert.equal(answer.json.error, 'invalid_client', what)
  }
  const pem = `-----BEGIN CERTIFICATE-----\n${CERTIFICATES.alice.replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
  assert.equal((await tokenFor(alice.id, { 'client-cert': encodeURIComponent(pem) })).status, 200, 'as nginx passes it')
  assert.equal((await tokenFor(alice.id, { 'client-cert': pem.replaceAll('\n', ' ') })).status, 200, 'as Apache does')
})

test('a mapping that names nobody lets nobody in', async () => {
  const rules = [{ local: [{ user: { email: '{0}' } }], remote: [{ type: 'SSL_CLIENT_SUBJECT_DN_EMAILADDRESS' }] }]
  const changed = await k.ask('PATCH', '/v3/OS-FEDERATION/mappings/oauth2_mapping', { token: admin, body: { mapping: { rules } } })
  assert.equal(changed.status, 200, changed.text)
  assert.equal((await tokenFor(alice.id, shown('alice'))).status, 401)
})
