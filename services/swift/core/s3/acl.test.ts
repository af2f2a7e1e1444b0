import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { isFault } from '#base/fault.ts'
import { aclOfHeaders, aclTree, ALL_USERS, cannedAcl, grants, parseAcl } from './acl.ts'
import { assertPolicy, type Fields, signedForm } from './post-policy.ts'
import { assertSigned } from './signature.ts'
import { writeXml } from './xml.ts'

const refused = (code: string, work: () => unknown): void => assert.throws(work, (thrown) => isFault(thrown) && thrown.code === code)

describe('access control lists', () => {
  test('canned ones grant what their names say', () => {
    const may = (name: string, who: string | undefined, wanted: 'READ' | 'WRITE' | 'READ_ACP' | 'WRITE_ACP') => grants(cannedAcl(name, 'me', 'bucket'), who, wanted)
    for (const name of ['private', 'public-read', 'public-read-write', 'authenticated-read', 'bucket-owner-read', 'bucket-owner-full-control']) for (const wanted of ['READ', 'WRITE', 'READ_ACP', 'WRITE_ACP'] as const) assert.ok(may(name, 'me', wanted), name)
    assert.deepEqual(['private', 'public-read', 'public-read-write', 'authenticated-read'].map((name) => [may(name, undefined, 'READ'), may(name, 'you', 'READ'), may(name, 'you', 'WRITE')]), [[false, false, false], [true, true, false], [true, true, true], [false, true, false]])
    assert.deepEqual([may('bucket-owner-read', 'bucket', 'READ'), may('bucket-owner-read', 'bucket', 'WRITE'), may('bucket-owner-full-control', 'bucket', 'WRITE_ACP')], [true, false, true])
    refused('InvalidArgument', () => cannedAcl('public', 'me'))
  })
  test('headers and documents', () => {
    assert.equal(aclOfHeaders({}, 'me'), undefined)
    assert.deepEqual(aclOfHeaders({ 'x-amz-grant-read': `id="you", uri="${ALL_USERS}"` }, 'me')?.grants, [{ grantee: 'you', permission: 'READ' }, { grantee: ALL_USERS, permission: 'READ' }])
    refused('InvalidRequest', () => aclOfHeaders({ 'x-amz-acl': 'private', 'x-amz-grant-read': 'id=you' }, 'me'))
    refused('UnresolvableGrantByEmailAddress', () => aclOfHeaders({ 'x-amz-grant-read': 'emailAddress=a@b.c' }, 'me'))
    const acl = { owner: 'me', grants: [{ grantee: ALL_USERS, permission: 'READ' as const }, { grantee: 'you', permission: 'WRITE' as const }] }
    assert.deepEqual(parseAcl(Buffer.from(writeXml('AccessControlPolicy', aclTree(acl))), 'me'), acl)
    refused('AccessDenied', () => parseAcl(Buffer.from(writeXml('AccessControlPolicy', aclTree(acl))), 'you'))
    refused('MalformedACLError', () => parseAcl(Buffer.from('<AccessControlPolicy/>'), 'me'))
  })
})

describe('forms', () => {
  const NOW = Date.parse('2026-01-01T00:00:00Z')
  const policyOf = (...conditions: unknown[]): string => Buffer.from(JSON.stringify({ expiration: '2026-01-01T01:00:00Z', conditions })).toString('base64')
  const judge = (policy: string, fields: Fields) => assertPolicy(policy, { policy, ...fields }, 'b', NOW)

  test('keep to their policy', () => {
    const policy = policyOf({ bucket: 'b' }, ['starts-with', '$key', 'user/'], ['eq', '$acl', 'private'], ['content-length-range', 1, 10])
    assert.deepEqual(judge(policy, { key: 'user/x', acl: 'private', 'x-ignore-me': '1' }), { min: 1, max: 10 })
    for (const fields of [{ key: 'other/x', acl: 'private' }, { key: 'user/x', acl: 'public-read' }, { key: 'user/x' }, { key: 'user/x', acl: 'private', 'content-type': 'x' }] as Fields[]) refused('AccessDenied', () => judge(policy, fields))
    refused('AccessDenied', () => assertPolicy(policy, { key: 'user/x', acl: 'private' }, 'other', NOW))
    refused('AccessDenied', () => assertPolicy(policy, { key: 'user/x', acl: 'private' }, 'b', NOW + 3_600_001))
    for (const wrong of ['e30=', 'x', policyOf('x'), policyOf(['is', '$key', 'a'])]) refused('InvalidPolicyDocument', () => judge(wrong, { key: 'a' }))
  })
  test('are signed over their policy', () => {
    const policy = policyOf({ bucket: 'b' })
    const key = ['20260101', 'us-east-1', 's3', 'aws4_request'].reduce<Buffer | string>((at, text) => createHmac('sha256', at).update(text).digest(), 'AWS4secret')
    const form = { policy, 'x-amz-algorithm': 'AWS4-HMAC-SHA256', 'x-amz-credential': 'access/20260101/us-east-1/s3/aws4_request', 'x-amz-date': '20260101T000000Z', 'x-amz-signature': createHmac('sha256', key).update(policy).digest('hex') }
    assertSigned(signedForm(form)!, 'secret', NOW)
    refused('SignatureDoesNotMatch', () => assertSigned(signedForm({ ...form, policy: policyOf() })!, 'secret', NOW))
    assertSigned(signedForm({ policy, awsaccesskeyid: 'access', signature: createHmac('sha1', 'secret').update(policy).digest('base64') })!, 'secret', NOW)
    refused('InvalidArgument', () => signedForm({ policy }))
    assert.equal(signedForm({ key: 'a' }), undefined)
  })
})
