/**
 * Requests that are almost right, over raw sockets, at both doors: none may be answered with 500, hang, or end the process, and memory stays.
 * `node services/swift/test/fuzz.by-hand.ts [seconds] [seed]`; what was wrong is printed with its request.
 */
import { connect } from 'node:net'
import { listen } from '#base/http/server.ts'
import { seededRandom } from '#base/random.ts'
import { A, swiftKit, tempUrl } from './kit.ts'
import { s3Kit } from './s3-kit.ts'

const [seconds = '120', seed = String(Date.now() % 1_000_000)] = process.argv.slice(2)
const random = seededRandom(Number(seed))
const kit = await swiftKit({ driver: 'memory' })
const s3 = await s3Kit()
const wrong: string[] = []
const onError = (thrown: unknown): void => {
  if (!/closed the connection|aborted|premature close/i.test(String((thrown as Error).message))) wrong.push(`thrown: ${(thrown as Error).stack}`)
}
const doors = [await listen(kit.handler, { onError }), await listen((request) => s3.visit(request.method, `${request.path}${request.query ? `?${request.query}` : ''}`, { headers: request.headers, body: request.body }), { onError })]
for (const box of ['box', 'versions', 'old']) await kit.ask('PUT', `${A}/${box}`, { headers: box === 'versions' ? { 'x-versions-enabled': 'true' } : {} })
await kit.ask('POST', `${A}/box`, { headers: { 'x-container-meta-temp-url-key': 'key', 'x-container-read': '.r:*,.rlistings', 'x-container-meta-web-listings': 'true' } })
for (const name of ['o', 'a/b/c', 'é']) await kit.ask('PUT', `${A}/box/${encodeURIComponent(name)}`, { body: name.repeat(1000) })
await s3.s3('PUT', '/s3/bucket')
await s3.s3('PUT', '/s3/bucket?policy', { body: JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: ['arn:aws:s3:::bucket', 'arn:aws:s3:::bucket/*'] }] }) })
await s3.s3('PUT', '/s3/bucket/k', { body: 'x'.repeat(5000) })

const T = 'Host: 127.0.0.1:5000\r\nX-Auth-Token: persona:member\r\n'
const request = (method: string, target: string, headers = '', body = ''): string => `${method} ${target} HTTP/1.1\r\n${T}${headers}${body === '' && (method === 'GET' || method === 'HEAD') ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`}\r\n${body}`
const chunked = (method: string, target: string, headers: string, ...chunks: string[]): string => `${method} ${target} HTTP/1.1\r\n${T}${headers}Transfer-Encoding: chunked\r\n\r\n${chunks.map((one) => `${one.length.toString(16)}\r\n${one}\r\n`).join('')}0\r\n\r\n`
const soon = Math.floor(Date.now() / 1000) + 100_000
const SWIFT = [
  request('GET', A), request('GET', `${A}?format=json&limit=10&prefix=b&marker=a&reverse=true`, 'Accept: application/json;q=0.5, text/xml\r\n'), request('GET', `${A}/box?format=xml&delimiter=/&prefix=a&path=a&end_marker=z`), request('GET', `${A}/versions?versions&format=json&version_marker=1800000000.00000&marker=o`),
  request('PUT', `${A}/box/o2`, 'X-Object-Meta-Color: red\r\nX-Delete-After: 100\r\nETag: "x"\r\nIf-None-Match: *\r\nContent-Type: text/plain; charset=UTF-8\r\n', 'body'), request('GET', `${A}/box/o`, 'Range: bytes=0-5,7-9,-3\r\nIf-Match: "a", "b"\r\nIf-Modified-Since: Sat, 21 Nov 2026 11:00:00 GMT\r\n'), request('HEAD', `${A}/box/o?version-id=null`),
  request('POST', `${A}/box`, 'X-Container-Read: .r:*,.r:-.evil.example,a:b\r\nX-Container-Meta-Quota-Bytes: 10000000\r\nX-Versions-Location: old\r\nX-Container-Sync-To: //r/c/a/b\r\n'), request('COPY', `${A}/box/o`, 'Destination: box/copy\r\nX-Fresh-Metadata: true\r\n'), request('PUT', `${A}/box/c`, 'X-Copy-From: /box/o?multipart-manifest=get\r\nX-Copy-From-Account: AUTH_project-a\r\n'),
  request('PUT', `${A}/box/slo?multipart-manifest=put&heartbeat=on`, '', JSON.stringify([{ path: '/box/o', etag: null, size_bytes: 1000, range: '0-9' }, { data: 'YWJj' }])), request('GET', `${A}/box/slo?multipart-manifest=get&format=raw&part-number=1`), request('PUT', `${A}/box/dlo`, 'X-Object-Manifest: box/a\r\n'), request('PUT', `${A}/box/link`, 'X-Symlink-Target: box/o\r\nX-Symlink-Target-Account: AUTH_project-a\r\nX-Symlink-Target-Etag: x\r\n'),
  request('POST', `${A}?bulk-delete`, 'Content-Type: text/plain\r\nAccept: application/json\r\n', 'box/o3\n/box/%C3%A9x\nbox'), request('DELETE', `${A}/box/slo?multipart-manifest=delete&async=true`), request('DELETE', `${A}/box/o2`, 'X-If-Delete-At: 5\r\n'), request('OPTIONS', `${A}/box/o`, 'Origin: http://x\r\nAccess-Control-Request-Method: GET\r\n'),
  request('GET', `${A}/box/o?${tempUrl('key', 'GET', `${A}/box/o`, soon)}&filename=x&inline`), request('POST', A, 'X-Account-Meta-Temp-Url-Key: k\r\nX-Account-Access-Control: {"admin":["a:b"]}\r\n'), chunked('PUT', `${A}/box/chunked`, 'Expect: 100-continue\r\n', 'abc', 'defgh'), chunked('PUT', `${A}/box/tar?extract-archive=tar.gz`, '', 'not gzip at all'),
  request('POST', `${A}/box/form-`, 'Content-Type: multipart/form-data; boundary=b\r\n', `--b\r\nContent-Disposition: form-data; name="max_file_size"\r\n\r\n100\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n`), request('GET', '/info?swiftinfo_sig=x&swiftinfo_expires=1'), request('GET', `/endpoints/v2/AUTH_project-a/box/o`), request('GET', `${A}/box/`, 'X-Web-Mode: true\r\nReferer: http://x\r\n').replace('X-Auth-Token: persona:member\r\n', ''),
]
const link = (method: string, target: string): string => s3.link(method, target, { expires: 604_800 })
const S3 = [
  request('GET', '/s3/'), request('GET', link('GET', '/s3/bucket/k')), request('PUT', link('PUT', '/s3/bucket/k2'), '', 'body'), request('GET', '/s3/bucket?list-type=2&prefix=k&delimiter=/&max-keys=5&encoding-type=url&start-after=a&fetch-owner=true'), request('GET', '/s3/bucket?versions&key-marker=a&version-id-marker=null'), request('GET', '/s3/bucket/k', 'Range: bytes=0-10\r\nIf-None-Match: "x"\r\n'),
  request('POST', '/s3/bucket?delete', 'Content-MD5: AAAA\r\n', '<Delete><Quiet>true</Quiet><Object><Key>k9</Key><VersionId>null</VersionId></Object></Delete>'), request('PUT', '/s3/bucket?cors', '', '<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>'), request('PUT', '/s3/bucket/k?tagging', '', '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>'),
  request('PUT', '/s3/bucket?lifecycle', '', '<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>x</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>'), request('PUT', '/s3/bucket?acl', 'x-amz-acl: private\r\n', '<AccessControlPolicy><Owner><ID>project-a</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>project-b</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>'),
  request('POST', '/s3/bucket/m?uploads'), request('PUT', '/s3/bucket/m?partNumber=1&uploadId=x', '', 'part'), request('POST', '/s3/bucket/m?uploadId=x', '', '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"a"</ETag></Part></CompleteMultipartUpload>'), request('PUT', '/s3/bucket/c', 'x-amz-copy-source: /bucket/k?versionId=null\r\nx-amz-metadata-directive: REPLACE\r\nx-amz-meta-a: b\r\n'), request('GET', '/s3/bucket/k?attributes', 'x-amz-object-attributes: ETag,Checksum\r\n'),
  chunked('PUT', '/s3/bucket/ch', 'x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-trailer: x-amz-checksum-crc32\r\nx-amz-decoded-content-length: 4\r\n', '4\r\nabcd\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n'), request('POST', '/s3/bucket', 'Content-Type: multipart/form-data; boundary=b\r\n', '--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nup/${filename}\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n'), request('PUT', '/s3/bucket?policy', '', '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"],"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]}'),
  request('OPTIONS', '/s3/bucket/k', 'Origin: http://x\r\nAccess-Control-Request-Method: GET\r\n'), request('GET', '/s3/bucket?location'), request('HEAD', '/s3/bucket/k'), request('GET', '/s3/bucket/k', 'Authorization: AWS4-HMAC-SHA256 Credential=access-a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00\r\nx-amz-date: 20260101T120000Z\r\n'), request('GET', '/s3/bucket/k', 'Authorization: AWS access-a:AAAA\r\nDate: Thu, 01 Jan 2026 12:00:00 GMT\r\n'),
]

const SPICE = ['%00', '%ff', '%2f', '%', '..', '\0', '\r\n', '\n', '"', "'", '<', '>', '&', '=', ';', ',', '*', '${filename}', '{}', '[]', 'null', '-1', '99999999999999999999', '1e999', 'NaN', '\u00ff', '\u00c3\u00a9', ' ', '\t', ':', '/', '?', '#', 'bytes=', 'persona:admin', 'AUTH_', '__proto__', 'constructor', 'true', 'a'.repeat(300)]
function mutated(text: string, other: string): string {
  let out = text
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(out.length + 1)
    const length = 1 + random.below(random.below(4) === 0 ? 60 : 6)
    switch (random.below(7)) {
      case 0: out = out.slice(0, at) + String.fromCharCode(random.below(256)) + out.slice(at + 1); break
      case 1: out = out.slice(0, at) + SPICE[random.below(SPICE.length)]! + out.slice(at); break
      case 2: out = out.slice(0, at) + SPICE[random.below(SPICE.length)]! + out.slice(at + length); break
      case 3: out = out.slice(0, at) + out.slice(at + length); break
      case 4: out = out.slice(0, at) + out.slice(at, at + length).repeat(1 + random.below(5)) + out.slice(at); break
      case 5: out = out.slice(0, at) + other.slice(random.below(other.length)).slice(0, 40) + out.slice(at); break
      default: out = out.slice(0, at) + (out[at] ?? '').toUpperCase() + out.slice(at + 1)
    }
  }
  // As often as not the length is right for all that, so that the body is looked at.
  const cut = out.indexOf('\r\n\r\n')
  return cut > 0 && random.below(2) === 0 ? out.slice(0, cut).replace(/\r\nContent-Length: \d+/, `\r\nContent-Length: ${out.length - cut - 4}`) + out.slice(cut) : out
}

async function one(door: number): Promise<void> {
  const corpus = door === 0 ? SWIFT : S3
  const text = mutated(corpus[random.below(corpus.length)]!, corpus[random.below(corpus.length)]!)
  const said = await new Promise<string>((resolve) => {
    const socket = connect(doors[door]!.port, '127.0.0.1')
    let all = ''
    const end = (): void => {
      socket.destroy()
      resolve(all)
    }
    // What is not whole gets no answer; whoever waits goes.
    const patience = setTimeout(end, 300)
    socket.setEncoding('latin1').on('data', (chunk: string) => (all += chunk)).on('error', () => {}).on('close', () => {
      clearTimeout(patience)
      resolve(all)
    })
    socket.write(text, 'latin1')
  })
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(said.replace(/^HTTP\/1\.1 100[^\r]*\r\n\r\n/, ''))?.[1] ?? 0)
  statuses.set(status, (statuses.get(status) ?? 0) + 1)
  if (status === 500 || status > 503) wrong.push(`${status}\n${JSON.stringify(text)}\n${said.slice(0, 500)}`)
}

const statuses = new Map<number, number>()
process.on('uncaughtException', (thrown) => wrong.push(`uncaught: ${thrown.stack}`))
process.on('unhandledRejection', (thrown) => wrong.push(`unhandled: ${String((thrown as Error)?.stack ?? thrown)}`))
const until = performance.now() + Number(seconds) * 1000
let count = 0
const rss: number[] = []
await Promise.all(Array.from({ length: 24 }, async (_, i) => {
  while (performance.now() < until && wrong.length < 20) {
    await one(i % 2)
    if (++count % 2000 === 0) {
      rss.push(process.memoryUsage().rss >> 20)
      // It still answers, and soon.
      const began = performance.now()
      if ((await kit.ask('GET', `${A}/box?limit=1`)).status >= 500 || performance.now() - began > 10_000) wrong.push('it does not answer any more')
    }
  }
}))
console.log(`seed ${seed}: ${count} requests; ${[...statuses].sort(([a], [b]) => a - b).map(([status, times]) => `${status} ${times}`).join(', ')}; memory ${rss.join(' ')} MiB`)
for (const each of new Set(wrong)) console.log(`\nWRONG: ${each}`)
process.exit(wrong.length > 0 ? 1 : 0)
