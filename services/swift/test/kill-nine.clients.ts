/** A thousand clients of a store whose processes die; each knows what was acknowledged to it, and judges in the end what is there. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signingKey } from '../core/s3/signature.ts'
import { reconcile, sweep } from '../flows/keep-order.ts'
import { openStore } from './kill-nine.maker.ts'
import { A } from './kit.ts'
import { accessOf, secretOf } from './s3-kit.ts'

export interface Deaths {
  rounds: number
  clients: number
  /** One dies in each round. */
  processes: number
  /** Default: SQLite in the folder. */
  database?: string
  settings?: Record<string, unknown>
}

const md5 = (bytes: Buffer | string): string => createHash('md5').update(bytes).digest('hex')
/** Of a size and content that follow from name and generation; sizes cross every edge. */
function bodyOf(name: string, generation: number): Buffer {
  const number = Number.parseInt(md5(`${name} ${generation}`).slice(0, 6), 16)
  return Buffer.alloc(number % 9 === 0 ? 66_000 + (number % 100_000) : number % 5000, `${name} ${generation} `)
}

/** ETags that may stand under a name; undefined: nothing. */
type Known = Map<string, Set<string | undefined>>

class Broken extends Error {}

export async function killed({ rounds, clients, processes, database, settings = {} }: Deaths): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-kill-'))
  const known: Known = new Map()
  let acknowledged = 0
  let enough = (): void => {}
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const children: (ChildProcess | undefined)[] = Array.from({ length: processes }, () => undefined)
  const urls: string[] = []
  const start = async (i: number): Promise<void> => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', new URL('kill-nine.maker.ts', import.meta.url).pathname, dir, JSON.stringify(settings), ...(database ? [database] : [])], { stdio: ['ignore', 'pipe', 'inherit'] })
    children[i] = child
    urls[i] = await new Promise((resolve, reject) => {
      child.stdout!.once('data', (chunk: Buffer) => resolve(String(chunk).trim()))
      child.once('exit', () => reject(new Error('the process did not come up')))
    })
  }
  const send = (url: string, method: string, target: string, headers: Record<string, string>, body?: Buffer): Promise<{ status: number; headers: Record<string, string>; text: string }> =>
    new Promise((resolve, reject) => {
      const asking = request(`${url}${target}`, { method, agent, headers: { ...headers, ...(headers['transfer-encoding'] ? {} : { 'content-length': String(body?.length ?? 0) }) } }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => reject(new Broken())).on('aborted', () => reject(new Broken()))
        answer.on('end', () => (answer.complete ? resolve({ status: answer.statusCode!, headers: answer.headers as Record<string, string>, text: Buffer.concat(chunks).toString('latin1') }) : reject(new Broken())))
      })
      asking.on('error', () => reject(new Broken()))
      asking.end(body)
    })
  const signed = (method: string, path: string, query: string, host: string): Record<string, string> => {
    const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
    const scope = { date: stamp.slice(0, 8), region: 'us-east-1', service: 's3' }
    const canonical = [method, path, query, `host:${host}`, 'x-amz-content-sha256:UNSIGNED-PAYLOAD', `x-amz-date:${stamp}`, '', 'host;x-amz-content-sha256;x-amz-date', 'UNSIGNED-PAYLOAD'].join('\n')
    const text = ['AWS4-HMAC-SHA256', stamp, `${scope.date}/us-east-1/s3/aws4_request`, createHash('sha256').update(canonical).digest('hex')].join('\n')
    const signature = createHmac('sha256', signingKey(secretOf('a'), scope)).update(text).digest('hex')
    return { 'x-amz-date': stamp, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', authorization: `AWS4-HMAC-SHA256 Credential=${accessOf('a')}/${scope.date}/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${signature}` }
  }
  const token = { 'x-auth-token': 'x' }

  /** One client: always the same names, one request after another. */
  async function client(round: number, who: number, url: string, over: () => boolean): Promise<void> {
    const host = url.slice(7)
    // What is under way may have been done or not; what was acknowledged is.
    const may = (path: string, etag: string | undefined): void => {
      const now = known.get(path) ?? new Set([undefined])
      known.set(path, now.add(etag))
    }
    const is = (path: string, etag: string | undefined): void => {
      acknowledged++
      known.set(path, new Set([etag]))
      enough()
    }
    const good = (answer: { status: number; text: string }, status: number, what: string): void => {
      // A process that is being killed may lose its database first.
      if (answer.status === 503) throw new Broken()
      assert.equal(answer.status, status, `${what}: ${answer.text.slice(0, 300)}`)
    }
    const put = async (box: string, name: string, generation: number, headers: Record<string, string> = {}): Promise<string> => {
      const body = bodyOf(name, generation)
      const etag = md5(body)
      may(`${box}/${name}`, etag)
      good(await send(url, 'PUT', `${A}/${box}/${name}`, { ...token, ...headers }, body), 201, 'PUT')
      is(`${box}/${name}`, etag)
      return etag
    }
    const remove = async (box: string, name: string): Promise<void> => {
      may(`${box}/${name}`, undefined)
      const answer = await send(url, 'DELETE', `${A}/${box}/${name}`, token)
      if (answer.status !== 404) good(answer, 204, 'DELETE')
      is(`${box}/${name}`, undefined)
    }
    const own = `w${who}`
    const steps: (() => Promise<void>)[] = [
      async () => void (await put('box', `${own}-${round}`, 0)),
      async () => void (await put('box', own, round, { 'transfer-encoding': 'chunked' })),
      async () => {
        const etag = await put('box', own, round + 1000)
        may(`box/${own}-copy`, etag)
        good(await send(url, 'COPY', `${A}/box/${own}`, { ...token, destination: `box/${own}-copy` }), 201, 'COPY')
        is(`box/${own}-copy`, etag)
      },
      async () => void (await put('versions', own, round)),
      async () => remove('box', `${own}-${round - 1}`),
      async () => {
        const etag = await put('box', `${own}-segment-${round}`, 0)
        const manifest = Buffer.from(JSON.stringify([{ path: `/box/${own}-segment-${round}`, etag }]))
        if (bodyOf(`${own}-segment-${round}`, 0).length === 0) return
        may(`box/${own}-slo`, md5(etag))
        good(await send(url, 'PUT', `${A}/box/${own}-slo?multipart-manifest=put`, token, manifest), 201, 'SLO')
        is(`box/${own}-slo`, md5(etag))
      },
      async () => {
        const names = [`${own}-${round}`, `${own}-copy`]
        for (const name of names) may(`box/${name}`, undefined)
        const answer = await send(url, 'POST', `${A}?bulk-delete`, { ...token, 'content-type': 'text/plain', accept: 'application/json' }, Buffer.from(names.map((name) => `box/${name}`).join('\n')))
        good(answer, 200, 'bulk')
        // The answer begins before the end.
        if (!/"Response Status": ?"200/.test(answer.text)) throw new Broken()
        for (const name of names) is(`box/${name}`, undefined)
      },
      async () => {
        const [path, key] = [`/s3/box/${own}-parts`, `box/${own}-parts`]
        const begun = await send(url, 'POST', `${path}?uploads`, signed('POST', path, 'uploads=', host))
        good(begun, 200, 'begin')
        const id = /<UploadId>([^<]+)</.exec(begun.text)![1]!
        const body = bodyOf(`${own}-parts`, round)
        const part = await send(url, 'PUT', `${path}?partNumber=1&uploadId=${id}`, signed('PUT', path, `partNumber=1&uploadId=${id}`, host), body)
        good(part, 200, 'part')
        const etag = `${createHash('md5').update(Buffer.from(md5(body), 'hex')).digest('hex')}-1`
        may(key, etag)
        const ended = await send(url, 'POST', `${path}?uploadId=${id}`, signed('POST', path, `uploadId=${id}`, host), Buffer.from(`<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"${md5(body)}"</ETag></Part></CompleteMultipartUpload>`))
        good(ended, 200, 'complete')
        is(key, etag)
      },
    ]
    try {
      // Each begins somewhere else, so that all kinds are under way at once.
      for (let i = who; !over(); i++) await steps[i % steps.length]!()
    } catch (thrown) {
      if (!(thrown instanceof Broken)) throw thrown
    }
  }

  try {
    await Promise.all(children.map((_, i) => start(i)))
    for (const [name, headers] of [['box', {}], ['versions', { 'x-versions-enabled': 'true' }]] as const) assert.equal((await send(urls[0]!, 'PUT', `${A}/${name}`, { ...token, ...headers })).status < 300, true)
    for (let round = 0; round < rounds; round++) {
      const victim = round % processes
      const before = acknowledged
      let over = false
      // A different moment in each round.
      enough = () => {
        if (over || acknowledged - before < 50 + round * 20) return
        over = true
        children[victim]!.kill('SIGKILL')
      }
      await Promise.all(Array.from({ length: clients }, (_, who) => client(round, who, urls[who % processes]!, () => over))).finally(() => (over = true))
      await start(victim)
    }
    for (const child of children) child!.kill('SIGKILL')
    await judge()
  } finally {
    agent.destroy()
    for (const child of children) child?.kill('SIGKILL')
    await rm(dir, { recursive: true, force: true })
  }

  async function judge(): Promise<void> {
    const store = await openStore(dir, settings, database ? { database } : {})
    try {
      await whole(store)
    } finally {
      await store.close()
    }
    // A store that others keep takes no signature of another day.
    if (settings.driver === 's3') return
    // Days later, when what the dead left behind has been taken away.
    const later = await openStore(dir, settings, { ahead: 4 * 86_400_000, ...(database ? { database } : {}) })
    try {
      await sweep(later.house)
      await reconcile(later.house)
      await whole(later)
    } finally {
      await later.close()
    }
  }

  async function whole({ handler }: Awaited<ReturnType<typeof openStore>>): Promise<void> {
    const ask = async (method: string, target: string): Promise<{ status: number; headers: Record<string, string>; bytes: Buffer }> => {
      const [path = '', query = ''] = `${A}/${target}`.split('?')
      const { status, headers, body } = await handler({ method, path, query, headers: token, body: undefined, origin: 'http://127.0.0.1', remote: 'local' })
      const chunks: Buffer[] = []
      if (typeof body === 'string' || body instanceof Uint8Array) chunks.push(Buffer.from(body as Uint8Array))
      else if (body) for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk)
      return { status, headers: headers as Record<string, string>, bytes: Buffer.concat(chunks) }
    }
    for (const box of ['box', 'versions']) {
      const listed = new Map<string, { bytes: number; hash: string; slo_etag?: string; s3_etag?: string }>()
      for (let marker = ''; ; ) {
        const page = JSON.parse(String((await ask('GET', `${box}?format=json&limit=5000&marker=${encodeURIComponent(marker)}`)).bytes)) as { name: string; bytes: number; hash: string; slo_etag?: string }[]
        if (page.length === 0) break
        for (const one of page) listed.set(one.name, one)
        marker = page.at(-1)!.name
      }
      const { headers } = await ask('HEAD', box)
      assert.equal(headers['x-container-object-count'], String(listed.size))
      if (box === 'box') assert.equal(headers['x-container-bytes-used'], String([...listed.values()].reduce((sum, one) => sum + one.bytes, 0)))
      for (const [path, states] of known) {
        if (!path.startsWith(`${box}/`)) continue
        const name = path.slice(box.length + 1)
        const found = listed.get(name)
        if (!found) {
          assert.ok(states.has(undefined), `${path} was acknowledged and is lost`)
          continue
        }
        const got = await ask('GET', path)
        assert.equal(got.status, 200, path)
        const etag = got.headers.etag!.replaceAll('"', '')
        assert.ok(states.has(etag), `${path} is not what was acknowledged`)
        assert.equal(got.bytes.length, found.bytes, path)
        // What stands under such an ETag is these bytes.
        const plain = md5(got.bytes)
        assert.ok([plain, md5(plain), `${createHash('md5').update(Buffer.from(plain, 'hex')).digest('hex')}-1`].includes(etag), `${path} is half there`)
      }
      for (const name of listed.keys()) assert.ok(known.has(`${box}/${name}`), `${name} was never sent`)
    }
    assert.ok(acknowledged > 50 * rounds, `${acknowledged} were acknowledged`)
  }
}
