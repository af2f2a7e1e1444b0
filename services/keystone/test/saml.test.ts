/** Logins by a SAML2 provider that Keystone asks itself, and the ways in which an assertion is forged, moved or shown again. */
import assert from 'node:assert/strict'
import { createVerify } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import type { Answer } from '#stack/test/house-kit.ts'
import { keystoneHouse } from '../api/house.ts'
import { keystoneConfig } from '../config.ts'
import { ecpEnvelope } from '../core/saml/messages.ts'
import { samlService } from '../core/saml/settings.ts'
import { readXml } from '../core/saml/xml.ts'
import type { KeystoneTables } from '../store/tables.ts'
import { sweep } from '../store/sweep.ts'
import { selfSigned } from './certificate.ts'
import { type KeystoneKit, keystoneKit } from './kit.ts'
import { type Encrypting, type Said, type SamlProviderKit, samlProviderKit } from './saml-provider.ts'

const DASHBOARD = 'https://dash.example/auth/websso/'
const NAMED = '/v3/auth/OS-FEDERATION/identity_providers/corp/protocols/saml2'
const AUTH = '/v3/OS-FEDERATION/identity_providers/corp/protocols/saml2/auth'
const OUTSIDE = 'http://127.0.0.1:5000/identity'
const ACS = `${OUTSIDE}${NAMED}/acs`
const ENTITY = 'https://cloud.example/sp'
const clock = new VirtualClock()
const provider: SamlProviderKit = samlProviderKit(() => clock.now(), ACS, ENTITY)
const stranger = selfSigned('stranger')
const own = selfSigned('cloud')
let dir: string
let k: KeystoneKit
let admin: string

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-saml-'))
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  const certificate_files = [await file('old.crt', selfSigned('old').certificate), await file('idp.crt', provider.certificate)]
  const saml = {
    entity_id: ENTITY, key_file: await file('sp.key', own.key), certificate_file: await file('sp.crt', own.certificate),
    providers: {
      corp: { entity_id: provider.entity_id, sso_url: 'https://idp.example/sso?tenant=1', certificate_files, sign_requests: true },
      cloud: { entity_id: provider.entity_id, certificate_files, keystone: true },
      old: { entity_id: provider.entity_id, sso_url: 'https://idp.example/sso', certificate_files, accept_cbc: true, encrypted: true },
    },
  }
  k = await keystoneKit({ federation: { trusted_dashboard: [DASHBOARD], trust_headers_from: ['local'], saml } }, clock)
  admin = await k.admin()
  const put = async (path: string, body: object): Promise<void> => {
    const answer = await k.ask('PUT', `/v3/OS-FEDERATION/${path}`, { token: admin, body })
    assert.equal(answer.status, 201, answer.text)
  }
  await k.ask('POST', '/v3/groups', { token: admin, body: { group: { name: 'staff' } } })
  // What any_one_of asks for goes into no {n}.
  const remote = [{ type: 'groups', any_one_of: ['staff'] }, { type: 'MELLON_uid' }, { type: 'groups', whitelist: ['staff'] }]
  await put('mappings/corp', { mapping: { rules: [{ local: [{ user: { name: '{0}' } }, { groups: '{1}', domain: { id: 'default' } }], remote }] } })
  for (const idp of ['corp', 'cloud', 'old']) {
    await put(`identity_providers/${idp}`, { identity_provider: { enabled: true, remote_ids: [`${idp}-${provider.entity_id}`] } })
    await put(`identity_providers/${idp}/protocols/saml2`, { protocol: { mapping_id: 'corp' } })
  }
})
after(async () => {
  await k.close()
  await rm(dir, { recursive: true, force: true })
})

interface Begun {
  request_id: string
  relay_state: string
  cookie: string
}

async function begin(door = NAMED): Promise<Begun> {
  const answer = await k.ask('GET', `${door}/websso?origin=${encodeURIComponent(DASHBOARD)}`)
  assert.equal(answer.status, 302, answer.text)
  const { request, relay_state } = provider.request(String(answer.headers.location))
  return { request_id: request.attributes.get('ID')!, relay_state, cookie: String(answer.headers['set-cookie']).split(';')[0]! }
}
const post = (begun: Begun, xml: string, door = NAMED): Promise<Answer> =>
  k.ask('POST', `${door}/acs`, { headers: { cookie: begun.cookie, 'content-type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ SAMLResponse: Buffer.from(xml).toString('base64'), RelayState: begun.relay_state }).toString() })

/** A login in which the provider says something else than it should, or somebody changes what it said. */
async function login(said: Said = {}, change = (xml: string): string => xml): Promise<number> {
  const begun = await begin()
  return (await post(begun, change(provider.response({ in_response_to: begun.request_id, ...said })))).status
}

test('a browser logs in by redirect and form, and the token is posted to the dashboard', async () => {
  const answer = await k.ask('GET', `/v3/auth/OS-FEDERATION/identity_providers/corp/protocols/saml2/websso?origin=${encodeURIComponent(DASHBOARD)}`)
  const location = String(answer.headers.location)
  assert.match(location, /^https:\/\/idp\.example\/sso\?tenant=1&SAMLRequest=/)
  const { request, relay_state, signed } = provider.request(location)
  assert.equal(request.attributes.get('AssertionConsumerServiceURL'), ACS)
  assert.equal(request.children[0]!.text, ENTITY)
  const query = new URLSearchParams([...signed].filter(([name]) => ['SAMLRequest', 'RelayState', 'SigAlg'].includes(name))).toString()
  assert.ok(createVerify('RSA-SHA256').update(query).verify(own.certificate, signed.get('Signature')!, 'base64'), 'the request is signed')
  const begun = { request_id: request.attributes.get('ID')!, relay_state, cookie: String(answer.headers['set-cookie']).split(';')[0]! }
  const page = await post(begun, provider.response({ in_response_to: begun.request_id, attributes: { uid: ['jane'], groups: ['staff', 'a;staff'] } }))
  assert.equal(page.status, 200, page.text)
  const token = /id="token" value="([^"]+)"/.exec(page.text)![1]!
  const { user, methods } = (await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': token } })).json.token
  assert.equal(user.name, 'jane')
  assert.deepEqual(methods, ['saml2'])
  assert.equal(user['OS-FEDERATION'].groups.length, 1)
})

test('what an assertion says must hold: for us, now, for this login', async () => {
  assert.equal(await login(), 200)
  assert.equal(await login({ destination: ACS }), 200)
  const cases: Record<string, Said> = {
    'another audience': { audience: 'https://other.example/sp' },
    'no audience': { audience: undefined },
    'brought elsewhere': { recipient: 'https://other.example/acs' },
    'brought to another provider of ours': { recipient: ACS.replace('corp', 'cloud') },
    'the response for elsewhere': { destination: 'https://other.example/acs' },
    'another issuer': { issuer: 'https://evil.example' },
    'over': { until: -31_000 },
    'not yet': { from: 60_000 },
    'made long ago': { issued: -700_000 },
    'made in the future': { issued: 60_000 },
    'no bearer': { method: 'urn:oasis:names:tc:SAML:2.0:cm:holder-of-key' },
    'not granted': { status: 'urn:oasis:names:tc:SAML:2.0:status:Responder' },
    'an answer to another request': { in_response_to: '_other' },
    'an answer to no request': { in_response_to: undefined },
    'a condition nobody knows': { conditions: '<saml:AudienceRestriction><saml:Audience>https://cloud.example/sp</saml:Audience></saml:AudienceRestriction><saml:Condition/>' },
    'of two audiences one is wrong': { conditions: `<saml:AudienceRestriction><saml:Audience>${ENTITY}</saml:Audience></saml:AudienceRestriction><saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction>` },
    'nobody logged in': { statement: ' ' },
    'no rule of the mapping holds': { attributes: { uid: ['jane'], groups: ['guests'] } },
    'no such attribute': { attributes: { uid: ['jane'] } },
  }
  for (const [why, said] of Object.entries(cases)) assert.equal(await login(said), 401, why)
  assert.equal(await login({ in_response_to: '_other' }, (xml) => xml.replace(' InResponseTo="_other"', '')), 401, 'the response says nothing of a request, and the assertion of another')
})

test('a signature: needed, of the provider, over the assertion as it is, and strong', async () => {
  const without = (xml: string): string => xml.replace(/<ds:Signature[^]*<\/ds:Signature>/, '')
  assert.equal(await login({}, without), 401, 'no signature')
  assert.equal(await login({ key: stranger.key }), 401, 'of a stranger')
  assert.equal(await login({}, (xml) => xml.replace('>jane</saml:AttributeValue>', '>root</saml:AttributeValue>')), 401, 'changed')
  assert.equal(await login({}, (xml) => xml.replace(/<ds:DigestValue>./, '<ds:DigestValue>#')), 401)
  assert.equal(await login({}, (xml) => xml.replace('xmldsig-more#rsa-sha256', 'xmldsig-more#hmac-sha256')), 401)
  assert.equal(await login({}, (xml) => xml.replace('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', 'http://www.w3.org/2000/09/xmldsig#hmac-sha1')), 401, 'a shared key, which would be our certificate')
  assert.equal(await login({}, (xml) => xml.replace('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', 'http://www.w3.org/2000/09/xmldsig#rsa-sha1')), 401, 'SHA-1')
  assert.equal(await login({}, (xml) => xml.replace(/<ds:Transform [^>]*enveloped[^>]*\/>/, '$&<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>')), 401, 'a transform that leaves things out')
  assert.equal(await login({}, (xml) => xml.replace(/URI="#[^"]+"/, 'URI=""')), 401, 'over the document')
})

test('a signature of the response alone is not enough', async () => {
  const { signElement } = await import('../core/saml/signature.ts')
  const whole = (xml: string): string => {
    const bare = xml.replace(/<ds:Signature[^]*<\/ds:Signature>/, '')
    return signElement(bare, /<samlp:Response[^>]* ID="([^"]+)"/.exec(bare)![1]!, provider.key, provider.certificate)
  }
  assert.equal(await login({}, whole), 401)
  // Beside the assertion's own it does no harm.
  assert.equal(await login({}, (xml) => signElement(xml, /<samlp:Response[^>]* ID="([^"]+)"/.exec(xml)![1]!, provider.key, provider.certificate)), 200)
})

test('wrapping: whatever stands beside, around or inside the signed assertion, nobody else gets in', async () => {
  const parts = (xml: string): { assertion: string; signature: string; evil: string } => {
    const [assertion] = /<saml:Assertion[^]*<\/saml:Assertion>/.exec(xml)!
    const [signature] = /<ds:Signature[^]*<\/ds:Signature>/.exec(xml)!
    const evil = assertion.replace(signature, '').replace('>jane</saml:AttributeValue>', '>root</saml:AttributeValue>').replace(/ID="[^"]+"/, 'ID="_evil"')
    return { assertion, signature, evil }
  }
  const swap = (make: (one: ReturnType<typeof parts>) => string) => (xml: string): string => xml.replace(/<saml:Assertion[^]*<\/saml:Assertion>/, () => make(parts(xml)))
  const close = '</saml:Assertion>'
  const cases: Record<string, (one: ReturnType<typeof parts>) => string> = {
    'the forged one before': ({ assertion, evil }) => evil + assertion,
    'the forged one after': ({ assertion, evil }) => assertion + evil,
    'with the same name before': ({ assertion, evil }) => evil.replace('_evil', /ID="([^"]+)"/.exec(assertion)![1]!) + assertion,
    'the signed one inside the forged one': ({ assertion, evil }) => evil.replace(close, assertion + close),
    'the forged one with the signature, and the signed one in it': ({ assertion, signature, evil }) => evil.replace('</saml:Issuer>', `</saml:Issuer>${signature.replace('</ds:Signature>', `<ds:Object>${assertion.replace(signature, '')}</ds:Object></ds:Signature>`)}`),
    'the signed one in extensions': ({ assertion, evil }) => `<samlp:Extensions>${assertion}</samlp:Extensions>${evil}`,
    'the signature moved to the forged one': ({ assertion, signature, evil }) => evil.replace('</saml:Issuer>', `</saml:Issuer>${signature}`) + assertion.replace(signature, ''),
    'the signed one under another name of an element': ({ assertion, signature, evil }) => `${evil.replace('</saml:Issuer>', `</saml:Issuer>${signature}`)}<samlp:Extensions>${assertion.replace(signature, '')}</samlp:Extensions>`,
    'two signatures': ({ assertion, signature }) => assertion.replace(signature, signature + signature),
    'another namespace': ({ assertion, evil }) => assertion + evil.replaceAll('saml:', 'x:').replace('xmlns:x="urn:oasis:names:tc:SAML:2.0:assertion"', 'xmlns:x="urn:other"').replace('xmlns:saml', 'xmlns:x'),
    'an encrypted one beside': ({ assertion }) => `${assertion}<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>`,
  }
  for (const [why, make] of Object.entries(cases)) {
    const changed = swap(make)
    assert.equal(await login({}, (xml) => {
      const after = changed(xml)
      assert.notEqual(after, xml, why)
      return after
    }), 401, why)
  }
  assert.equal(await login({}, (xml) => `<x>${xml}</x>`), 401, 'another root')
  // What nobody has signed says nothing: the status and the issuer around it are held against ours.
  assert.equal(await login({}, (xml) => xml.replace('<samlp:Status>', '<samlp:Extensions/><samlp:Status>')), 200)
})

const CBC = 'http://www.w3.org/2001/04/xmlenc#aes128-cbc'
const OAEP_11 = 'http://www.w3.org/2009/xmlenc11#rsa-oaep'
const sha256 = '<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
const mgf256 = '<xenc11:MGF xmlns:xenc11="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha256"/>'

/** A login whose assertion comes encrypted for this cloud. */
async function secretLogin(how: Encrypting = {}, { door = NAMED, certificate = own.certificate, change = (assertion: string): string => assertion, said = {} as Said } = {}): Promise<{ status: number; text: string }> {
  const begun = await begin(door)
  const about = { in_response_to: begun.request_id, recipient: `${OUTSIDE}${door}/acs`, ...said }
  const { status, text } = await post(begun, provider.wrap(provider.encrypted(change(provider.assertion(about)), certificate, how), about), door)
  return { status, text }
}

test('an encrypted assertion is opened, and must be signed like any other', async () => {
  for (const how of [{}, { beside: true }, { data: 'http://www.w3.org/2009/xmlenc11#aes128-gcm' }, { key: OAEP_11, method: sha256 + mgf256, oaepHash: 'sha256' }]) assert.equal((await secretLogin(how)).status, 200, JSON.stringify(how))
  const metadata = (await k.ask('GET', `${NAMED}/metadata`)).text
  assert.match(metadata, /use="encryption".*xmlenc11#aes256-gcm/)
  assert.equal((await secretLogin({}, { change: (xml) => xml.replace('>jane</saml:AttributeValue>', '>root</saml:AttributeValue>') })).status, 401, 'changed before it was encrypted: everybody has our certificate')
  assert.equal((await secretLogin({}, { change: (xml) => xml.replace(/<ds:Signature[^]*<\/ds:Signature>/, '') })).status, 401, 'no signature')
  assert.equal((await secretLogin({}, { said: { key: stranger.key } })).status, 401, 'signed by a stranger')
  assert.equal((await secretLogin({}, { change: (xml) => xml + xml })).status, 401, 'two in one')
  assert.equal((await secretLogin({}, { change: (xml) => provider.encrypted(xml, own.certificate) })).status, 401, 'encrypted twice')
  assert.equal((await secretLogin({}, { change: () => '<!DOCTYPE x>' })).status, 401)
  const begun = await begin()
  const plain = provider.assertion({ in_response_to: begun.request_id })
  assert.equal((await post(begun, provider.wrap(plain + provider.encrypted(plain, own.certificate)))).status, 401, 'one beside another')
  assert.equal((await post(begun, provider.wrap(provider.encrypted(plain, own.certificate).repeat(2)))).status, 401)
  assert.equal((await post(begun, provider.wrap(provider.encrypted(plain, own.certificate)))).status, 200)
  assert.equal((await post(begun, provider.wrap(provider.encrypted(plain, own.certificate)))).status, 401, 'again')
})

test('weak ways of encrypting are not taken, and what fails does not say how', async () => {
  const old = NAMED.replace('corp', 'old')
  assert.equal((await secretLogin({ data: CBC })).status, 401, 'AES-CBC unasked')
  assert.equal((await secretLogin({ data: CBC }, { door: old })).status, 200)
  assert.equal((await secretLogin({ key: 'http://www.w3.org/2001/04/xmlenc#rsa-1_5' })).status, 401, 'PKCS#1 v1.5')
  assert.equal((await secretLogin({ key: OAEP_11, method: sha256, oaepHash: 'sha256' })).status, 401, 'two hashes')
  const begun = await begin(old)
  assert.equal((await post(begun, provider.response({ in_response_to: begun.request_id, recipient: `${OUTSIDE}${old}/acs` }), old)).status, 401, 'plain, where only encrypted ones are taken')
  const flip = (at: number) => (bytes: Buffer): Buffer => {
    bytes[at < 0 ? bytes.length + at : at]! ^= 1
    return bytes
  }
  const failures = [
    await secretLogin({}, { certificate: stranger.certificate }), await secretLogin({ secret: Buffer.alloc(32) , spoil: flip(20) }), await secretLogin({ spoil: flip(-1) }), await secretLogin({ spoil: (bytes) => bytes.subarray(0, 20) }),
    await secretLogin({ spoil: () => Buffer.alloc(0) }), await secretLogin({ data: CBC, spoil: flip(-17) }, { door: old }), await secretLogin({ data: CBC, spoil: flip(30) }, { door: old }), await secretLogin({ data: CBC, spoil: flip(-1) }, { door: old }),
    await secretLogin({ data: CBC, spoil: (bytes) => bytes.subarray(0, -3) }, { door: old }), await secretLogin({ data: CBC, spoil: (bytes) => bytes.subarray(0, 16) }, { door: old }),
  ]
  assert.deepEqual([...new Set(failures.map(({ status, text }) => `${status} ${text}`))].length, 1, JSON.stringify(failures))
  assert.equal(failures[0]!.status, 401)
})

test('XML that could mislead a parser is not read at all', async () => {
  const bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
  const cases: Record<string, (xml: string) => string> = {
    'a document type': (xml) => `<!DOCTYPE samlp:Response>${xml}`,
    'entities': (xml) => bomb + xml,
    'an entity from a file': (xml) => `<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>${xml.replace('>jane<', '>&f;<')}`,
    'an unknown entity': (xml) => xml.replace('>jane<', '>&f;<'),
    'a comment that cuts a name in two': (xml) => xml.replace('>jane</saml:Attr', '>jane<!-- -->.evil</saml:Attr'),
    'CDATA': (xml) => xml.replace('>jane</saml:Attr', '><![CDATA[jane]]></saml:Attr'),
    'a processing instruction': (xml) => xml.replace('<samlp:Status>', '<?x y?><samlp:Status>'),
    'an end that is missing': (xml) => xml.slice(0, -5),
    'something behind it': (xml) => `${xml}<x/>`,
    'depth': (xml) => xml.replace('<samlp:Status>', `${'<x>'.repeat(60)}${'</x>'.repeat(60)}<samlp:Status>`),
    'size': (xml) => xml.replace('<samlp:Status>', `<x>${' '.repeat(300_000)}</x><samlp:Status>`),
    'many elements': (xml) => xml.replace('<samlp:Status>', `${'<x/>'.repeat(3_000)}<samlp:Status>`),
    'many attributes': (xml) => xml.replace('<samlp:Status>', `<x ${Array.from({ length: 60 }, (_, i) => `a${i}=""`).join(' ')}/><samlp:Status>`),
    'nothing': () => '',
    'no XML': () => 'x',
  }
  for (const [why, change] of Object.entries(cases)) assert.equal(await login({}, change), 401, why)
  assert.equal(await login({}, (xml) => `<?xml version="1.0"?>\r\n${xml}`), 200)
})

test('an assertion is taken once, and what is remembered of it is swept away', async () => {
  const begun = await begin()
  const xml = provider.response({ in_response_to: begun.request_id })
  assert.equal((await post(begun, xml)).status, 200)
  assert.equal((await post(begun, xml)).status, 401, 'again')
  const other = await begin()
  assert.equal((await post(other, xml)).status, 401, 'in another login')
  assert.equal((await post({ ...other, cookie: '' }, provider.response({ in_response_to: other.request_id }))).status, 401, 'in another browser')
  assert.equal((await post({ ...other, relay_state: begun.relay_state }, provider.response({ in_response_to: other.request_id }))).status, 401)
  // However long it says that it holds: it is not remembered for longer than it is taken.
  const long = await begin()
  assert.equal((await post(long, provider.response({ in_response_to: long.request_id, until: 1e12 }))).status, 200)
  const db = k.kit.db.as<KeystoneTables>()
  await sweep(db, clock.now() + 700_000)
  assert.deepEqual(await db.query.selectFrom('keystone_used_once').selectAll().execute(), [])
  await clock.advance(700_000)
  assert.equal((await post(long, provider.response({ in_response_to: long.request_id }))).status, 401, 'too late')
})

test('headers are not believed for it; origin and door are as everywhere', async () => {
  assert.equal((await k.ask('POST', AUTH, { headers: { mellon_uid: 'jane', groups: 'staff' } })).status, 401)
  assert.equal((await k.ask('GET', `${NAMED}/websso?origin=https://evil.example/`)).status, 401)
  const begun = await begin()
  await k.ask('PATCH', '/v3/OS-FEDERATION/identity_providers/corp', { token: admin, body: { identity_provider: { enabled: false } } })
  assert.equal((await post(begun, provider.response({ in_response_to: begun.request_id }))).status, 403)
  await k.ask('PATCH', '/v3/OS-FEDERATION/identity_providers/corp', { token: admin, body: { identity_provider: { enabled: true } } })
})

const PAOS = 'application/vnd.paos+xml'
const CLOUD = NAMED.replace('corp', 'cloud')

test('a client that carries the messages: request, envelope, and the token fetched once', async () => {
  const asked = await k.ask('GET', AUTH, { headers: { accept: `*/*,${PAOS}`, paos: 'ver="urn:liberty:paos:2003-08"' } })
  assert.equal(asked.status, 200, asked.text)
  assert.equal(asked.headers['content-type'], PAOS)
  const [header, body] = readXml(asked.text).children
  const recipient = header!.children[0]!.attributes.get('responseConsumerURL')!
  const relay = header!.children[2]!.text
  const in_response_to = body!.children[0]!.attributes.get('ID')!
  const bring = (xml: string, path = NAMED): Promise<Answer> => k.ask('POST', `${path}/ecp`, { headers: { 'content-type': PAOS }, body: xml })
  assert.equal((await bring(provider.response({ in_response_to, recipient }))).status, 401, 'no envelope')
  assert.equal((await bring(ecpEnvelope(provider.response({ in_response_to, recipient }), 'ss:mem:x', recipient))).status, 401, 'no request of ours')
  assert.equal((await bring(ecpEnvelope(provider.response({ in_response_to: '_other', recipient }), relay, recipient))).status, 401)
  const brought = await bring(ecpEnvelope(provider.response({ in_response_to, recipient }), relay, recipient))
  assert.equal(brought.status, 303, brought.text)
  assert.equal(brought.headers.location, `${OUTSIDE}${AUTH}`)
  const cookie = String(brought.headers['set-cookie']).split(';')[0]!
  assert.equal((await k.ask('GET', AUTH.replace('corp', 'cloud'), { headers: { cookie } })).status, 401, 'at another provider')
  const got = await k.ask('GET', AUTH, { headers: { cookie } })
  assert.equal(got.status, 201, got.text)
  assert.equal(got.json.token.user.name, 'jane')
  assert.equal((await k.ask('GET', AUTH, { headers: { cookie } })).status, 401, 'a second time')
})

test("a Keystone's users come without a request, but only to where their assertion sends them", async () => {
  const recipient = `${OUTSIDE}${CLOUD}/ecp`
  const bring = (said: Said, path = CLOUD): Promise<Answer> => k.ask('POST', `${path}/ecp`, { headers: { 'content-type': PAOS }, body: ecpEnvelope(provider.response({ recipient, audience: undefined, ...said }), 'ss:mem:x', recipient) })
  assert.equal((await bring({})).status, 303)
  assert.equal((await bring({ audience: ENTITY })).status, 303)
  assert.equal((await bring({ audience: 'https://other.example/sp' })).status, 401)
  assert.equal((await bring({ recipient: 'https://other.example/ecp' })).status, 401)
  assert.equal((await bring({ in_response_to: '_x' })).status, 401)
  assert.equal((await bring({}, NAMED)).status, 401, 'no other provider takes it')
  assert.equal((await bring({ key: stranger.key })).status, 401)
  assert.equal((await bring({ id: '_same' })).status, 303)
  assert.equal((await bring({ id: '_same' })).status, 401, 'again')
  const fetched = await bring({})
  const cookie = String(fetched.headers['set-cookie']).split(';')[0]!
  await clock.advance(61_000)
  assert.equal((await k.ask('GET', AUTH.replace('corp', 'cloud'), { headers: { cookie } })).status, 401, 'fetched too late')
})

test('metadata and settings', async () => {
  const shown = await k.ask('GET', `${NAMED}/metadata`)
  assert.equal(shown.status, 200)
  const root = readXml(shown.text)
  assert.equal(root.attributes.get('entityID'), ENTITY)
  assert.ok(shown.text.includes(`Location="${ACS}"`))
  assert.equal((await k.ask('GET', NAMED.replace('corp', 'nobody').concat('/metadata'))).status, 404)
  const metadata = `<!-- x --><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="https://idp.example/saml"><md:IDPSSODescriptor><md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>${provider.certificate.replaceAll(/-----[^-]+-----|\n/g, '')}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>`
  const files: Record<string, string> = { m: metadata, c: provider.certificate, bad: 'x', bomb: `<!DOCTYPE x>${metadata}` }
  const read = (settings: object) => samlService({ providers: { corp: settings } }, (path) => files[path]!).providers.get('corp')!
  const { entity_id, sso_url, certificates } = read({ metadata_file: 'm' })
  assert.deepEqual([entity_id, sso_url, certificates[0]!.replaceAll('\n', '')], ['https://idp.example/saml', 'https://idp.example/sso', provider.certificate.replaceAll('\n', '')])
  const wrong: [object, RegExp][] = [
    [{ entity_id: 'x' }, /certificate_files/],
    [{ entity_id: 'x', certificate_files: ['bad'] }, /certificate_files/],
    [{ certificate_files: ['c'] }, /corp\.entity_id/],
    [{ entity_id: 'x', certificate_files: ['c'], sso_url: 'http://idp.example/' }, /sso_url/],
    [{ entity_id: 'x', certificate_files: ['c'], sign_requests: true }, /key_file/],
    [{ metadata_file: 'bomb' }, /metadata_file/],
    [{ metadata_file: 'm', entity: 'x' }, /unknown key "entity"/],
  ]
  for (const [settings, message] of wrong) assert.throws(() => read(settings), { message })
  const config = keystoneConfig({ federation: { openid: { corp: { issuer: 'https://x', client_id: 'x' } }, saml: { providers: { corp: { entity_id: 'x', certificate_files: ['c'] } } } } })
  const { world, db, parts } = k.kit
  const never = (): never => assert.fail('nobody is asked at the start')
  assert.throws(() => keystoneHouse({ world, config, db: db.as(), dataDir: parts.dataDir, publicUrl: parts.publicUrl, announce: never, federation: { ask: never, readFile: (path) => files[path]! } }), /not both/)
})
