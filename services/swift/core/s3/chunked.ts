/**
 * Bodies in S3's own chunks (`Content-Encoding: aws-chunked`): sizes in hexadecimal, a signature per chunk that chains to the one before, and headers
 * after the end that may hold a checksum. Constant memory: what is announced is passed on as it comes and judged at the chunk's end.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
import { createHash, createHmac, type Hash } from 'node:crypto'
import { s3Fault } from './errors.ts'
import { mismatch, sameText, type Scope } from './signature.ts'

export interface ChunkSigning {
  key: Buffer
  scope: Scope
  stamp: string
  /** Signature of the request's head, with which the chain begins. */
  seed: string
  /** What is told beside a signature that does not fit: whose key, and what the head was signed over. */
  told?: Readonly<Record<string, string>>
}

export interface ChunkedBody {
  /** Absent: chunks carry no signatures. */
  signing?: ChunkSigning
  /** Headers may follow the last chunk; with signed chunks they are signed too. */
  trailer: boolean
  /** `x-amz-decoded-content-length`. */
  length: number
  /** Told of the headers after the end, before the body ends. */
  onTrailer?: (headers: Readonly<Record<string, string>>) => void
}

/** A chunk's head and a trailing header have at most this many bytes. */
const LINE = 8192
/** Trailing headers have at most this many bytes together. */
const TRAILER = 16_384
/** Signed chunks but the last have at least this many bytes. */
const LEAST = 8192
const EMPTY = createHash('sha256').digest('hex')

/** The bytes themselves. Throws S3's faults: a wrong signature, a wrong length, a body that breaks off. Chunks given on are views of what came. */
export async function* unchunked(source: AsyncIterable<Uint8Array>, body: ChunkedBody): AsyncGenerator<Uint8Array> {
  const reader = new Reader(source)
  const chain = body.signing && new Chain(body.signing)
  let total = 0
  let before = LEAST
  for (let chunk = 1; ; chunk++) {
    const head = await reader.line()
    // `size;chunk-signature=…`, with spaces where they please; another word there is no signature that fits, and nothing comes behind it.
    const [, hex = '', word, given] = /^([0-9a-fA-F]{1,13})(?:\s*;\s*(chunk-signature\s*=\s*)?([^;\s](?:.*[^;\s])?)\s*|\s*)$/.exec(head) ?? []
    const signature = given?.startsWith('chunk-signature') || (word !== undefined && given?.includes(';')) ? undefined : given
    if (hex === '' || (chain !== undefined) !== (signature !== undefined)) throw s3Fault('IncompleteBody')
    const size = parseInt(hex, 16)
    if (chain && size > 0 && before < LEAST) throw s3Fault('InvalidChunkSizeError', undefined, { Chunk: String(chunk), BadChunkSize: String(before) })
    before = size
    total += size
    if (total > body.length) throw wrongLength(body.length, total)
    const digest = chain && createHash('sha256')
    for (let left = size; left > 0; ) {
      const part = await reader.some(left)
      digest?.update(part)
      left -= part.length
      yield part
    }
    chain?.chunk(digest!, signature!)
    if (size > 0) {
      if ((await reader.line()) !== '') throw s3Fault('IncompleteBody')
      continue
    }
    if (total !== body.length) throw wrongLength(body.length, total)
    await end(reader, body, chain)
    return
  }
}

const wrongLength = (wanted: number, came: number): Error => s3Fault('IncompleteBody', 'You did not provide the number of bytes specified by the Content-Length HTTP header', { NumberBytesExpected: String(wanted), NumberBytesProvided: String(came) })

async function end(reader: Reader, body: ChunkedBody, chain: Chain | undefined): Promise<void> {
  const headers: Record<string, string> = {}
  let signature: string | undefined
  for (let size = 0; ; ) {
    const line = await reader.line(true)
    if (line === '') break
    size += line.length
    const [, name = '', value = ''] = /^([\w-]+):\s*(.*?)\s*$/.exec(line) ?? []
    if (name === '' || size > TRAILER || !body.trailer) throw s3Fault('MalformedTrailerError')
    if (name.toLowerCase() === 'x-amz-trailer-signature') signature = value
    else headers[name.toLowerCase()] = value
  }
  if (body.trailer && chain) {
    if (signature === undefined || Object.keys(headers).length === 0) throw s3Fault('IncompleteBody')
    chain.trailer(headers, signature)
  }
  if (body.trailer) body.onTrailer?.(headers)
}

class Chain {
  #before: string
  readonly #signing: ChunkSigning

  constructor(signing: ChunkSigning) {
    this.#signing = signing
    this.#before = signing.seed
  }

  chunk(digest: Hash, given: string): void {
    this.#check('AWS4-HMAC-SHA256-PAYLOAD', `${EMPTY}\n${digest.digest('hex')}`, given)
  }

  trailer(headers: Readonly<Record<string, string>>, given: string): void {
    const text = Object.keys(headers).sort().map((name) => `${name}:${headers[name]}\n`).join('')
    this.#check('AWS4-HMAC-SHA256-TRAILER', createHash('sha256').update(text).digest('hex'), given)
  }

  #check(kind: string, what: string, given: string): void {
    const { key, stamp, scope } = this.#signing
    const text = `${kind}\n${stamp}\n${scope.date}/${scope.region}/${scope.service}/aws4_request\n${this.#before}\n${what}`
    const made = createHmac('sha256', key).update(text).digest('hex')
    if (!sameText(made, given)) throw s3Fault('SignatureDoesNotMatch', undefined, mismatch(text, given, this.#signing.told))
    this.#before = made
  }
}

/** Lines and bytes out of a stream, without copying more than a line. */
class Reader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #have: Buffer = Buffer.alloc(0)
  #over = false

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#chunks.next()
    if (done) {
      this.#over = true
      return false
    }
    const chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    this.#have = this.#have.length === 0 ? chunk : Buffer.concat([this.#have, chunk])
    return true
  }

  /** Up to CRLF, without it. The end of the stream is an empty line where one may end so. */
  async line(mayEnd = false): Promise<string> {
    for (let from = 0; ; ) {
      const at = this.#have.indexOf('\r\n', from, 'latin1')
      if (at >= 0) {
        const line = this.#have.toString('latin1', 0, at)
        this.#have = this.#have.subarray(at + 2)
        return line
      }
      if (this.#have.length > LINE) throw s3Fault('InvalidRequest', 'A line between the chunks is too long.')
      from = Math.max(0, this.#have.length - 1)
      if (this.#over || !(await this.#more())) {
        if (mayEnd && this.#have.length === 0) return ''
        throw s3Fault('IncompleteBody')
      }
    }
  }

  /** At least one byte and at most `limit`. */
  async some(limit: number): Promise<Uint8Array> {
    while (this.#have.length === 0) if (this.#over || !(await this.#more())) throw s3Fault('IncompleteBody')
    const part = this.#have.subarray(0, limit)
    this.#have = this.#have.subarray(part.length)
    return part
  }
}
