import assert from 'node:assert/strict'
import { test } from 'node:test'
import { awsInstant, type Ec2Request, ec2SignatureHolds, s3SignatureHolds } from './aws-signature.ts'
import { catalogOf, endpointUrl } from './catalog.ts'
import { fernetDecrypt, fernetEncrypt, fernetKey, padded } from './fernet.ts'
import { mapAssertion } from './mapping.ts'
import { oauthHolds, oauthParams } from './oauth1.ts'
import { hashGenerated, hashPassword, needsRehash, verifyPassword } from './password-hash.ts'
import { tokenRoles } from './role-inference.ts'
import { packToken, type TokenRecord, unpackToken } from './token-payload.ts'
import { totpCode, totpHolds } from './totp.ts'
import { fineInstantOr, parseFine, parseInstant } from './instant.ts'

test('Fernet is that of its specification', () => {
  const key = fernetKey('cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=')!
  const token = 'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=='
  const iv = Uint8Array.from({ length: 16 }, (_, i) => i)
  assert.equal(padded(fernetEncrypt(key, Buffer.from('hello'), 499_162_800, iv)), token)
  for (const text of [token, token.replaceAll('=', '')]) assert.deepEqual(fernetDecrypt([key], text), { data: Buffer.from('hello'), seconds: 499_162_800 })
  const other = fernetKey('A'.repeat(43))!
  assert.equal(fernetDecrypt([other], token), undefined)
  assert.ok(fernetDecrypt([other, key], token))
  assert.equal(fernetDecrypt([key], `${token.slice(0, 40)}A${token.slice(41)}`), undefined)
  for (const bad of ['', 'x', 'gAAAAA', '!'.repeat(120)]) assert.equal(fernetDecrypt([key], bad), undefined)
})

const HEX = 'c5eba052ed194dd5abdf023d1daf589f'
const base: TokenRecord = { user_id: HEX, methods: ['password'], issued_at: 1_700_000_000_000, expires_at: 1_700_003_600_000, audit_ids: ['vWLcxOizShq0qa0pmjdxcw'] }

test('every payload comes back as it went in', () => {
  const records: TokenRecord[] = [
    base,
    { ...base, domain_id: 'default' },
    { ...base, domain_id: HEX },
    { ...base, project_id: HEX, methods: ['password', 'token'], audit_ids: [...base.audit_ids, 'AAAAAAAAAAAAAAAAAAAAAA'] },
    { ...base, project_id: HEX, trust_id: HEX },
    { ...base, identity_provider_id: 'my-idp', protocol_id: 'saml2', group_ids: [HEX], methods: ['saml2'] },
    { ...base, identity_provider_id: 'my-idp', protocol_id: 'mapped', group_ids: [], project_id: HEX, methods: ['mapped'] },
    { ...base, identity_provider_id: 'my-idp', protocol_id: 'mapped', group_ids: [], domain_id: 'default', methods: ['mapped'] },
    { ...base, project_id: HEX, access_token_id: HEX, methods: ['oauth1'] },
    { ...base, system: 'all' },
    { ...base, project_id: HEX, application_credential_id: HEX, methods: ['application_credential'] },
    { ...base, user_id: 'a-user-of-ldap' },
  ]
  records.forEach((record) => assert.deepEqual(unpackToken(packToken(record), base.issued_at), record))
  assert.equal(unpackToken(Buffer.from('nonsense'), 0), undefined)
  assert.equal(unpackToken(Buffer.from([0x95, 0x63, 0, 0, 0, 0]), 0), undefined)
})

test('a project payload has the bytes of the original', () => {
  // msgpack.packb((2, (True, user), 2, (True, project), 1700003600.0, [audit]))
  const expected = `960292c3c410${HEX}0292c3c410${HEX}cb41d954ffc400000091c410bd62dcc4e8b34a1ab4a9ad299a377173`
  assert.equal(packToken({ ...base, project_id: HEX }).toString('hex'), expected)
})

test('passwords: new, imported, generated', async () => {
  const salt = Buffer.alloc(16, 7)
  for (const algorithm of ['argon2id', 'scrypt'] as const) {
    const cost = { algorithm, memory_kib: 64, passes: 1, log_rounds: 4 }
    const hash = await hashPassword('päss', cost, salt)
    assert.ok(await verifyPassword('päss', hash))
    assert.ok(!(await verifyPassword('pass', hash)))
    assert.ok(!needsRehash(hash, cost))
    assert.ok(needsRehash(hash, { ...cost, passes: 2, log_rounds: 5 }))
  }
  const bcrypt = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'
  assert.equal(await verifyPassword('U*U', bcrypt), true)
  assert.equal(await verifyPassword('U*V', bcrypt), false)
  const generated = hashGenerated('x'.repeat(40), salt)
  assert.ok(await verifyPassword('x'.repeat(40), generated))
  assert.ok(!(await verifyPassword('y'.repeat(40), generated)))
  assert.equal(await verifyPassword('', ''), false)
  assert.equal(await verifyPassword('', '$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$').catch(() => false), false)
})

test('roles follow from roles, also in circles, and those of domains do not show', () => {
  const role = (id: string, domain_id = '') => [id, { id, name: id, domain_id }] as const
  const roles = new Map([role('admin'), role('member'), role('reader'), role('local', 'd1')])
  const implies = new Map([['admin', ['member']], ['member', ['reader']], ['reader', ['admin']], ['local', ['reader']]])
  assert.deepEqual(tokenRoles(['member'], implies, roles).map((one) => one.id), ['member', 'reader', 'admin'])
  assert.deepEqual(tokenRoles(['local'], new Map([['local', ['reader']]]), roles).map((one) => one.id), ['reader'])
})

test('catalog URLs are filled, or left out when they cannot be', () => {
  assert.equal(endpointUrl('http://x/v3/$(project_id)s', { project_id: 'p' }), 'http://x/v3/p')
  assert.equal(endpointUrl('http://x/v3/%(tenant_id)s', { project_id: 'p' }), 'http://x/v3/p')
  assert.equal(endpointUrl('http://x/v3/$(project_id)s', {}), undefined)
  const catalog = catalogOf([{ id: 's', type: 't', name: 'n' }], [{ id: 'e', service_id: 's', interface: 'public', region_id: 'R', url: 'http://x/$(project_id)s' }], {})
  assert.deepEqual(catalog, [{ endpoints: [], id: 's', type: 't', name: 'n' }])
})

test('TOTP is that of RFC 6238', () => {
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
  assert.equal(totpCode(secret, 59_000), '287082')
  assert.ok(totpHolds(secret, '287082', 89_000), 'the step before')
  assert.ok(!totpHolds(secret, '287082', 120_000))
})

test('AWS signatures: version 4 as in its documentation, 2 and S3', () => {
  const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
  const request: Ec2Request = {
    verb: 'GET',
    path: '/',
    host: 'iam.amazonaws.com',
    params: { Action: 'ListUsers', Version: '2010-05-08' },
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
      Host: 'iam.amazonaws.com',
      'X-Amz-Date': '20150830T123600Z',
      Authorization: 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    },
    body_hash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    signature: '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  }
  assert.ok(ec2SignatureHolds(request, secret))
  assert.ok(!ec2SignatureHolds({ ...request, verb: 'POST' }, secret))
  assert.ok(!ec2SignatureHolds({ ...request, path: '/other' }, secret))
  assert.ok(!ec2SignatureHolds({ ...request, params: { Action: 'DeleteUser', Version: '2010-05-08' } }, secret))
  assert.ok(!ec2SignatureHolds({ ...request, body_hash: '0'.repeat(64) }, secret))
  assert.ok(!ec2SignatureHolds({ ...request, signature: '' }, secret))
  assert.equal(awsInstant('20150830T123600Z'), Date.UTC(2015, 7, 30, 12, 36))
  // The example of the REST authentication of S3.
  const text = 'GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/awsexamplebucket1/photos/puppy.jpg'
  assert.ok(s3SignatureHolds({ text, signature: 'qgk2+6Sv9/oM7G3qLEjTH1a1l1g=' }, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'))
  assert.ok(!s3SignatureHolds({ text: `${text}x`, signature: 'qgk2+6Sv9/oM7G3qLEjTH1a1l1g=' }, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'))
})

test('OAuth 1.0a: the signature of RFC 5849', () => {
  const header = 'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk", oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_nonce="chapoH", oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"'
  const params = oauthParams(header)!
  assert.equal(params.oauth_signature, 'MdpQcU8iPSUjWoN/UDMsK2sui9I=')
  const request = { method: 'GET', url: 'http://photos.example.net/photos', query: 'file=vacation.jpg&size=original', params }
  assert.ok(oauthHolds(request, 'kd94hf93k423kf44', 'pfkkdhi9sl3r4s00', 137_131_202_000))
  assert.ok(!oauthHolds(request, 'kd94hf93k423kf44', 'other', 137_131_202_000))
  assert.ok(!oauthHolds(request, 'kd94hf93k423kf44', 'pfkkdhi9sl3r4s00', 137_131_202_000 + 3_600_000), 'too old')
  assert.equal(oauthParams('Basic abc'), undefined)
  const plain = { ...request, params: { ...params, oauth_signature_method: 'PLAINTEXT', oauth_signature: 'kd94hf93k423kf44&pfkkdhi9sl3r4s00' } }
  assert.ok(oauthHolds(plain, 'kd94hf93k423kf44', 'pfkkdhi9sl3r4s00', 137_131_202_000))
  assert.ok(!oauthHolds(plain, 'kd94hf93k423kf44', 'other', 137_131_202_000))
})

test('mapping: direct values, lists, conditions, the first user', () => {
  const rules = [
    { remote: [{ type: 'UserName' }, { type: 'Groups', whitelist: ['dev', 'ops'] }, { type: 'Org', any_one_of: ['.*example\\.org'], regex: true }], local: [{ user: { name: '{0}' } }, { groups: '{1}', domain: { name: 'Default' } }] },
    { remote: [{ type: 'UserName' }, { type: 'Groups', not_any_of: ['banned'] }], local: [{ user: { name: 'second' }, group_ids: 'abc;def' }] },
  ]
  const mapped = mapAssertion(rules, { UserName: 'jane', Groups: 'dev;ops;secret', Org: 'www.example.org' })!
  assert.equal(mapped.user.name, 'jane')
  assert.deepEqual(mapped.groups, [{ name: 'dev', domain: { name: 'Default' } }, { name: 'ops', domain: { name: 'Default' } }])
  assert.deepEqual(mapped.group_ids, ['abc', 'def'])
  assert.equal(mapAssertion(rules, { UserName: 'jane', Groups: 'banned', Org: 'other' }), undefined)
  assert.equal(mapAssertion(rules, {}), undefined)
})

test('instants to the last digit', () => {
  for (const text of ['2026-11-21T00:11:21.123456', '9999-12-31T23:59:59.999999']) assert.equal(fineInstantOr(parseFine(text)!.ms, parseFine(text)!.us), text)
  assert.equal(parseInstant('2026-11-21T01:00:00+01:00'), Date.UTC(2026, 10, 21))
  assert.equal(parseInstant('bad.123Z'), undefined)
})
