/**
 * Bytes in a bucket of an S3 store (Ceph's RGW, or any other). One up to 5 MiB is one PUT, a longer one a multipart upload of parts of that
 * size, so that the memory of an upload has a bound. What the store says it took is compared with what was sent; and behind the bytes stand the sums of their blocks
 * (checked.ts), so that no range leaves that is not what was written. Id: `c-<32 hex digits>-<size>`, without the sums.
 */
import type { Readable } from 'node:stream'
import type { Clock } from '#base/clock.ts'
import { Fault, invalid, unavailable } from '#base/fault.ts'
import { type Element, parseXml } from '../../core/s3/xml.ts'
import type { BytesDriver } from '../interface.ts'
import { BytesBody } from '#base/http/bytes-body.ts'
import { budget } from './budget.ts'
import { cut, judging, payloadOf, spanOf, tableSize, withTable } from './checked.ts'
import { tied } from '../tied.ts'
import { md5Of, type S3Answer, type S3Options, s3Requests } from './requests.ts'

/** The least that S3 takes as a part. */
const PART = 5 << 20
/** What all uploads of this process may hold at once. */
const HELD = 24 << 20
/** Up to here an object is read in one request, with its sums. */
const AT_ONCE = 1 << 20

interface Place { key: string; hex: string; size: number }

function placeOf(id: string): Place {
  const match = /^c-([0-9a-f]{32})-([0-9a-z]{1,11})$/.exec(id)
  if (!match) throw invalid('This is no id of an object in the store')
  return { key: keyOf(match[1]!), hex: match[1]!, size: Number.parseInt(match[2]!, 36) }
}

const keyOf = (hex: string): string => `c/${hex.slice(0, 2)}/${hex}`
const children = (element: Element, name: string): Element[] => element.children.filter((one) => one.name === name)
const textOf = (element: Element, name: string): string | undefined => children(element, name)[0]?.text

export function s3Bytes(options: S3Options, clock: Clock, hexId: () => string): BytesDriver {
  const s3 = s3Requests(options, clock)
  const room = budget(HELD, clock)
  let ready: Promise<void> | undefined
  const bucket = (): Promise<void> => {
    ready ??= (async () => {
      const head = await s3.ask('HEAD', '')
      if (head.status !== 404) return
      const made = await s3.ask('PUT', '', {}, options.placement ? [Buffer.from(`<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>:${options.placement}</LocationConstraint></CreateBucketConfiguration>`)] : undefined)
      if (made.status >= 300 && made.status !== 409) throw unavailable('The bucket of the store cannot be made.', { detail: made.body.toString().slice(0, 200) })
    })().catch((thrown: unknown) => {
      ready = undefined
      throw thrown
    })
    return ready
  }
  const wrong = (what: string, answer: { status: number; body: Buffer }): Fault =>
    answer.status === 507 || /QuotaExceeded/.test(answer.body.toString()) ? new Fault('insufficient_storage', 'There is no room left for this object.') : unavailable('The store of the bytes refused them.', { detail: `${what}: ${answer.status} ${answer.body.toString().slice(0, 200)}`, data: { retry_after: 5 } })
  /** What is no document of S3 is the store's mistake, and not that of whoever asks us. */
  const parsed = (answer: S3Answer, root: string): Element => {
    try {
      return parseXml(answer.body, root)
    } catch {
      throw wrong(`no ${root}`, answer)
    }
  }
  const chosen: Record<string, string> = options.storage_class ? { 'x-amz-storage-class': options.storage_class } : {}
  const put = async (key: string, query: Record<string, string>, bytes: readonly Buffer[]): Promise<string> => {
    const md5 = md5Of(bytes)
    const answer = await s3.ask('PUT', key, query, bytes, { 'content-md5': md5.toString('base64'), ...('uploadId' in query ? {} : chosen) })
    if (answer.status !== 200) throw wrong('put', answer)
    const etag = String(answer.headers.etag ?? '').replaceAll('"', '')
    // A store that encrypts gives other etags; one that gives an MD5 must give the right one.
    if (/^[0-9a-f]{32}$/.test(etag) && etag !== md5.toString('hex')) throw wrong('the store took other bytes than were sent', answer)
    return etag
  }
  // It may have them again in a moment.
  const missing = (): Fault => unavailable('The bytes of this object are not there.', { code: 'swift.no_bytes', data: { retry_after: 5 } })
  const bad = (): Fault => unavailable('The bytes of this object are damaged.', { code: 'swift.bad_bytes', data: { retry_after: 5 } })
  /** Bytes `from` to `to` of the object, its sums among them. */
  const range = async (place: Place, from: number, to: number): Promise<Readable> => {
    const answer = await s3.stream(place.key, from, to)
    if (answer.status !== 200 && answer.status !== 206) answer.body?.destroy()
    if (answer.status === 404) throw missing()
    // Shorter than it was: there is nothing at that place.
    if (answer.status === 416) throw bad()
    // What a store says that sends elsewhere, is busy, or takes our key for a wrong one, says nothing about the bytes.
    if (answer.status !== 200 && answer.status !== 206) throw wrong('get', { status: answer.status, body: Buffer.alloc(0) })
    const whole = from === 0 && to === place.size + tableSize(place.size) - 1
    if (!answer.body || (answer.status !== 206 && !(answer.status === 200 && whole)) || answer.size !== to - from + 1) {
      answer.body?.destroy()
      throw bad()
    }
    return answer.body
  }
  const bytesAt = async (place: Place, from: number, to: number): Promise<Buffer> => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of await range(place, from, to)) chunks.push(chunk as Buffer)
    } catch (thrown) {
      throw thrown instanceof Fault ? thrown : brokeOff(thrown)
    }
    const bytes = Buffer.concat(chunks)
    if (bytes.length !== to - from + 1) throw bad()
    return bytes
  }
  const read = async (place: Place, start: number, end: number): Promise<Readable> => {
    const wanted = { size: place.size, start, end }
    const { from, to, sumsFrom, sumsTo } = spanOf(wanted)
    if (place.size - from <= AT_ONCE) {
      const bytes = await bytesAt(place, from, place.size + tableSize(place.size) - 1)
      const found = cut(bytes.subarray(0, to - from + 1), tied(bytes.subarray(sumsFrom - from), place.hex, sumsFrom - place.size), wanted)
      if (!found) throw bad()
      return new BytesBody(found)
    }
    const judge = judging(tied(await bytesAt(place, sumsFrom, sumsTo), place.hex, sumsFrom - place.size), wanted, bad)
    const source = await range(place, from, to)
    source.on('error', (thrown) => judge.destroy(brokeOff(thrown)))
    judge.on('close', () => source.destroy())
    return source.pipe(judge)
  }
  const silentSince = async (key: string, uploadId: string, before: number): Promise<boolean> => {
    for (let marker: string | undefined = '0'; marker !== undefined; ) {
      const answer: S3Answer = await s3.ask('GET', key, { uploadId, 'part-number-marker': marker })
      if (answer.status === 404) return true
      if (answer.status !== 200) return false
      const page = parsed(answer, 'ListPartsResult')
      if (children(page, 'Part').some((part) => !(Date.parse(textOf(part, 'LastModified') ?? '') < before))) return false
      marker = textOf(page, 'IsTruncated') === 'true' ? textOf(page, 'NextPartNumberMarker') : undefined
    }
    return true
  }
  return {
    async write(source) {
      await bucket()
      const hex = hexId()
      const key = keyOf(hex)
      let upload: string | undefined
      const etags: string[] = []
      const { pieces, size } = withTable(source, hex)
      let waiting: Buffer[] = []
      let held = 0
      const part = async (bytes: readonly Buffer[]): Promise<void> => {
        if (upload === undefined) {
          const begun = await s3.ask('POST', key, { uploads: '' }, undefined, chosen)
          if (begun.status !== 200) throw wrong('begin', begun)
          upload = textOf(parsed(begun, 'InitiateMultipartUploadResult'), 'UploadId') || undefined
          if (upload === undefined) throw wrong('begin', begun)
        }
        etags.push(await put(key, { partNumber: String(etags.length + 1), uploadId: upload! }, bytes))
      }
      /** What waits goes out, and its room comes back whatever happens. */
      const out = async (send: (bytes: readonly Buffer[]) => Promise<unknown>): Promise<void> => {
        const [bytes, taken] = [waiting, held]
        waiting = []
        held = 0
        room.sending(etags)
        try {
          await send(bytes)
          // The store has them: their memory need not wait for the collection of garbage.
          for (const one of bytes) if (one.length >= OWN) (one.buffer as ArrayBuffer).transfer(0)
        } finally {
          room.give(etags, taken, true)
        }
      }
      try {
        for await (const chunk of pieces) {
          for (let at = 0; at < chunk.length; ) {
            const piece = chunk.subarray(at, at + PART - held)
            await room.take(etags, piece.length, held)
            waiting.push(copyOf(piece))
            held += piece.length
            at += piece.length
            if (held < PART) continue
            await out((bytes) => part(bytes))
          }
        }
        if (upload === undefined) await out((bytes) => put(key, {}, bytes))
        else {
          if (held > 0) await out((bytes) => part(bytes))
          const list = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>"${etag}"</ETag></Part>`).join('')
          const ended = await s3.ask('POST', key, { uploadId: upload }, [Buffer.from(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list}</CompleteMultipartUpload>`)])
          // S3 may say 200 and tell the error in the body.
          if (ended.status !== 200 || !ended.body.includes('CompleteMultipartUploadResult')) throw wrong('complete', ended)
          const head = await s3.ask('HEAD', key)
          if (head.status !== 200 || Number(head.headers['content-length']) !== size() + tableSize(size())) throw wrong('the upload is not what was sent', head)
        }
      } catch (thrown) {
        room.give(etags, held, false)
        if (upload !== undefined) await s3.ask('DELETE', key, { uploadId: upload }).catch(() => {})
        throw thrown
      }
      return `c-${hex}-${size().toString(36)}`
    },
    read: async (id, start, end) => read(placeOf(id), start, end),
    async remove(ids) {
      for (const id of ids) {
        const gone = await s3.ask('DELETE', placeOf(id).key)
        if (gone.status >= 300 && gone.status !== 404) throw wrong('delete', gone)
      }
    },
    async verify(id) {
      const place = placeOf(id)
      if (place.size === 0) {
        const head = await s3.ask('HEAD', place.key)
        if (head.status !== 200 && head.status !== 404) throw wrong('head', head)
        return head.status === 404 ? 'missing' : 'good'
      }
      try {
        for await (const _ of await read(place, 0, place.size - 1));
        return 'good'
      } catch (thrown) {
        const { code } = thrown as { code?: string }
        if (code === 'swift.no_bytes') return 'missing'
        if (code === 'swift.bad_bytes') return 'bad'
        throw thrown
      }
    },
    // Nothing is moved in a store that others keep: the report names the key.
    async quarantine() {},
    async *list(before) {
      await bucket()
      for (let token: string | undefined; ; ) {
        const answer = await s3.ask('GET', '', { 'list-type': '2', prefix: 'c/', ...(token === undefined ? {} : { 'continuation-token': token }) })
        if (answer.status !== 200) throw wrong('list', answer)
        const page = parsed(answer, 'ListBucketResult')
        for (const one of children(page, 'Contents')) {
          const [, hex] = /^c\/[0-9a-f]{2}\/([0-9a-f]{32})$/.exec(textOf(one, 'Key') ?? '') ?? []
          if (hex !== undefined && Date.parse(textOf(one, 'LastModified') ?? '') < before) yield `c-${hex}-${payloadOf(Number(textOf(one, 'Size'))).toString(36)}`
        }
        token = textOf(page, 'IsTruncated') === 'true' ? textOf(page, 'NextContinuationToken') : undefined
        if (token === undefined) return
      }
    },
    async sweep(before) {
      await bucket()
      for (let next: Record<string, string> | undefined = {}; next; ) {
        const answer: S3Answer = await s3.ask('GET', '', { uploads: '', prefix: 'c/', ...next })
        if (answer.status !== 200) return
        const page = parsed(answer, 'ListMultipartUploadsResult')
        for (const one of children(page, 'Upload')) {
          const [key, id] = [textOf(one, 'Key'), textOf(one, 'UploadId')]
          // A bucket may hold what is not ours.
          if (key === undefined || id === undefined || !/^c\/[0-9a-f]{2}\/[0-9a-f]{32}$/.test(key) || !(Date.parse(textOf(one, 'Initiated') ?? '') < before)) continue
          // A client may send slowly, and bring part after part for days.
          if (!(await silentSince(key, id, before))) continue
          await s3.ask('DELETE', key, { uploadId: id })
        }
        const [marker, idMarker] = [textOf(page, 'NextKeyMarker'), textOf(page, 'NextUploadIdMarker')]
        next = textOf(page, 'IsTruncated') === 'true' && marker ? { 'key-marker': marker, ...(idMarker ? { 'upload-id-marker': idMarker } : {}) } : undefined
      }
    },
    async close() {
      s3.close()
    },
  }
}

/** Copies of this size have memory of their own. */
const OWN = 16 << 10
function copyOf(piece: Uint8Array): Buffer {
  if (piece.length < OWN) return Buffer.from(piece)
  const own = Buffer.allocUnsafeSlow(piece.length)
  own.set(piece)
  return own
}

const brokeOff = (cause: unknown): Fault => unavailable('The store of the bytes broke off.', { cause, data: { retry_after: 5 } })
