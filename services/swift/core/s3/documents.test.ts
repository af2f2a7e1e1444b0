import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFault } from '#base/fault.ts'
import { corsRule, parseComplete, parseCors, parseCreateBucket, parseDelete, parseLifecycle, parseTagging, parseTaggingHeader, parseVersioning } from './documents.ts'
import { assertBucketName, subResource, targetOf } from './target.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const refused = (code: string, work: () => unknown): void => assert.throws(work, (thrown) => isFault(thrown) && thrown.code === code)

describe('which bucket and key', () => {
  test('in the path, or in the host', () => {
    assert.deepEqual(targetOf('/', 'h', []), {})
    assert.deepEqual(targetOf('/b', 'h', []), { bucket: 'b' })
    assert.deepEqual(targetOf('/b/', 'h', []), { bucket: 'b' })
    assert.deepEqual(targetOf('/b/a%2Fb//c%20d/', 'h', []), { bucket: 'b', key: 'a/b//c d/' })
    assert.deepEqual(targetOf('/k/x', 'My.Bucket.s3.example:5000', ['s3.example']), { bucket: 'my.bucket', hostBucket: 'my.bucket', key: 'k/x' })
    assert.deepEqual(targetOf('/b/k', 's3.example:5000', ['s3.example']), { bucket: 'b', key: 'k' })
    refused('InvalidURI', () => targetOf('/b/%ff', 'h', []))
    refused('InvalidURI', () => targetOf('/b/%00', 'h', []))
    refused('KeyTooLongError', () => targetOf(`/b/${'%ED%95%9C'.repeat(342)}`, 'h', []))
    assert.equal(subResource(new URLSearchParams('versionId=1&acl')), 'acl')
    assert.equal(subResource(new URLSearchParams('prefix=acl')), undefined)
  })
  test('names of buckets', () => {
    for (const name of ['abc', 'a.b-c', '0'.repeat(63)]) assertBucketName(name)
    for (const name of ['ab', 'Abc', 'a_b', '-ab', 'ab-', 'a..b', 'a.-b', '192.168.0.1', 'xn--abc', '0'.repeat(64), 'a/b', '']) refused('InvalidBucketName', () => assertBucketName(name))
  })
})

describe('bodies', () => {
  test('delete many', () => {
    assert.deepEqual(parseDelete(bytes('<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>v</VersionId></Object></Delete>')), { quiet: true, objects: [{ key: 'a' }, { key: 'b', version_id: 'v' }] })
    refused('MalformedXML', () => parseDelete(bytes('<Delete/>')))
    refused('MalformedXML', () => parseDelete(bytes(`<Delete>${'<Object><Key>a</Key></Object>'.repeat(1001)}</Delete>`)))
  })
  test('complete an upload', () => {
    const part = (n: number | string) => `<Part><PartNumber>${n}</PartNumber><ETag>"e${n}"</ETag></Part>`
    assert.deepEqual(parseComplete(bytes(`<CompleteMultipartUpload>${part(1)}${part(7)}</CompleteMultipartUpload>`)), [{ number: 1, etag: 'e1', checksums: {} }, { number: 7, etag: 'e7', checksums: {} }])
    refused('InvalidPartOrder', () => parseComplete(bytes(`<CompleteMultipartUpload>${part(2)}${part(1)}</CompleteMultipartUpload>`)))
    refused('InvalidPartOrder', () => parseComplete(bytes(`<CompleteMultipartUpload>${part(2)}${part(2)}</CompleteMultipartUpload>`)))
    refused('InvalidArgument', () => parseComplete(bytes(`<CompleteMultipartUpload>${part(10_001)}</CompleteMultipartUpload>`)))
    refused('InvalidArgument', () => parseComplete(bytes(`<CompleteMultipartUpload>${part('x')}</CompleteMultipartUpload>`)))
    refused('MalformedXML', () => parseComplete(bytes('')))
  })
  test('buckets: place, versions, tags', () => {
    assert.equal(parseCreateBucket(bytes('')), undefined)
    assert.equal(parseCreateBucket(bytes('<CreateBucketConfiguration><LocationConstraint>RegionOne</LocationConstraint></CreateBucketConfiguration>')), 'RegionOne')
    assert.equal(parseVersioning(bytes('<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>')), 'Enabled')
    refused('IllegalVersioningConfigurationException', () => parseVersioning(bytes('<VersioningConfiguration/>')))
    const tag = (key: string, value = 'v') => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`
    assert.deepEqual(parseTagging(bytes(`<Tagging><TagSet>${tag('a')}${tag('b', '')}</TagSet></Tagging>`), 10), { a: 'v', b: '' })
    for (const wrong of [tag('a') + tag('a'), tag(''), tag('aws:x'), tag('k'.repeat(129)), tag('a', 'v'.repeat(257)), Array.from({ length: 11 }, (_, i) => tag(`k${i}`)).join('')]) refused('InvalidTag', () => parseTagging(bytes(`<Tagging><TagSet>${wrong}</TagSet></Tagging>`), 10))
    assert.deepEqual(parseTaggingHeader('a=1&b%20c=%26'), { a: '1', 'b c': '&' })
  })
  test('CORS', () => {
    const rules = parseCors(bytes('<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>300</MaxAgeSeconds></CORSRule><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>'))
    assert.equal(corsRule(rules, 'https://a.example.com', 'PUT', ['X-Amz-Date'])?.max_age, 300)
    assert.equal(corsRule(rules, 'https://a.example.com', 'PUT', ['Content-Type']), undefined)
    assert.equal(corsRule(rules, 'https://example.org', 'PUT'), undefined)
    assert.equal(corsRule(rules, 'https://example.org', 'GET'), rules[1])
    refused('MalformedXML', () => parseCors(bytes('<CORSConfiguration/>')))
    refused('InvalidRequest', () => parseCors(bytes('<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod></CORSRule></CORSConfiguration>')))
    refused('InvalidRequest', () => parseCors(bytes('<CORSConfiguration><CORSRule><AllowedOrigin>*.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>')))
  })
  test('lifecycle', () => {
    const rule = (inner: string) => parseLifecycle(bytes(`<LifecycleConfiguration><Rule><Status>Enabled</Status>${inner}</Rule></LifecycleConfiguration>`))
    assert.deepEqual(rule('<ID>x</ID><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>30</Days></Expiration>'), [{ id: 'x', enabled: true, prefix: 'logs/', tags: {}, expire: { days: 30 } }])
    assert.deepEqual(rule('<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>'), [{ id: 'rule-1', enabled: true, prefix: 'a', tags: { k: 'v' }, larger_than: 5, noncurrent: { days: 3 }, abort_uploads_days: 1 }])
    assert.deepEqual(rule('<Prefix/><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>')[0]?.expire, { at: Date.UTC(2030, 0, 1) })
    refused('InvalidArgument', () => rule('<Prefix/><Expiration><Date>2030-01-01T00:00:01Z</Date></Expiration>'))
    refused('InvalidArgument', () => rule('<Prefix/><Expiration><Days>0</Days></Expiration>'))
    refused('InvalidRequest', () => rule('<Prefix/>'))
    assert.deepEqual(rule('<Prefix/><Transition><Days>0</Days><StorageClass>COLD</StorageClass></Transition><NoncurrentVersionTransition><NoncurrentDays>3</NoncurrentDays><StorageClass>COLD</StorageClass></NoncurrentVersionTransition>')[0], { id: 'rule-1', enabled: true, prefix: '', bare_prefix: true, tags: {}, transitions: [{ class: 'COLD', days: 0 }], noncurrent_transitions: [{ class: 'COLD', days: 3 }] })
    refused('MalformedXML', () => rule('<Prefix/><Transition><Days>1</Days></Transition>'))
  })
})
