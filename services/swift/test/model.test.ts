/**
 * Random histories run against the store and against a small model of the API's meaning; every answer must be the same. A failure names the seed:
 * `SWIFT_MODEL_SEED=17 node --test services/swift/test/model.test.ts` plays it again;
 * `SWIFT_MODEL_SEEDS=1000` tries more of them.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { isFault } from '#base/fault.ts'
import { type Random, seededRandom } from '#base/random.ts'
import type { Answer } from '#stack/test/house-kit.ts'
import { etagOf, type ListQuery, md5, merge, type Metadata, Model, page, type Segment, sizeOf, type Thing, versions } from './model.maker.ts'
import { type SwiftKit, swiftKit } from './kit.ts'

const SEEDS = process.env.SWIFT_MODEL_SEED ? [Number(process.env.SWIFT_MODEL_SEED)] : Array.from({ length: Number(process.env.SWIFT_MODEL_SEEDS ?? (process.env.ONDOL_TEST_DATABASE ? 8 : 25)) }, (_, i) => i + 1)
const STEPS = 120
const NAMES = ['a', 'a/', 'a/b', 'a/b/c', 'a/b/d', 'a/c', 'a-b', 'a0', 'b', 'b/', 'b//', 'b//x', 'é', 'é/x', '\u{1f600}', '\u{1f600}/x', '\uffee', 'z z', '%41', 'q?x=1', '+&;', "'quote\"<x>"]
const BOXES = ['one', 'two', 'dré/am'.replace('/', '-')]
const TYPES = ['text/plain', 'application/x-thing; charset=UTF-8', 'image/png']

const quoted = (name: string): string => name.split('/').map(encodeURIComponent).join('/')

// One store for all histories, each in an account of its own.
const clock = new VirtualClock(1_800_000_000_000)
const kit = await swiftKit({ driver: 'memory' }, { clock })
after(() => kit.close())

for (const seed of SEEDS) {
  test(`a random history gives the model's answers (seed ${seed})`, async () => {
    const history: string[] = []
    try {
      const run = new Run(kit, clock, seededRandom(seed), `project-${seed}`, history)
      for (let i = 0; i < STEPS; i++) await run.step()
      await run.judgeAll()
    } catch (thrown) {
      console.error(`seed ${seed}, the last steps:\n${history.slice(-12).join('\n')}`)
      throw thrown
    }
  })
}

class Run {
  readonly model = new Model()
  readonly #kit: SwiftKit
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #as: string
  readonly #root: string
  readonly #history: string[]

  constructor(kit: SwiftKit, clock: VirtualClock, random: Random, project: string, history: string[]) {
    this.#kit = kit
    this.#clock = clock
    this.#random = random
    this.#as = `member@${project}`
    this.#root = `/v1/AUTH_${project}`
    this.#history = history
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)]!
  }

  async #ask(method: string, below: string, headers: Metadata = {}, body?: Buffer): Promise<Answer> {
    await this.#clock.advance(10)
    const asking = this.#kit.ask(method, `${this.#root}${below}`, { as: this.#as, headers: body === undefined && (method === 'PUT' || method === 'POST') ? { 'content-length': '0', ...headers } : headers, ...(body === undefined ? {} : { body }) })
    // A segment behind the first that is not what it was breaks the answer off.
    const answer = await asking.catch((thrown: unknown) => (isFault(thrown, 'conflict') ? ({ status: 409, headers: {}, text: '', json: undefined, body: undefined } satisfies Answer) : Promise.reject(thrown as Error)))
    this.#history.push(`${method} ${below} ${JSON.stringify(headers)} → ${answer.status}`)
    return answer
  }

  #meta(level: string): Metadata {
    const out: Metadata = {}
    for (const name of ['color', 'shape']) if (this.#random.below(3) === 0) out[`x-${level}-meta-${name}`] = this.#pick(['red', 'round', 'x y', ''])
    return out
  }

  #now(): number {
    return this.#clock.now() / 1000
  }

  async step(): Promise<void> {
    const verbs = [this.putBox, this.putBox, this.removeBox, this.headBox, this.account, this.put, this.put, this.put, this.put, this.put, this.get, this.get, this.get, this.remove, this.remove, this.post, this.copy, this.list, this.list, this.list, this.byVersion, this.byVersion, this.slo, this.slo]
    await this.#pick(verbs).call(this)
  }

  async putBox(): Promise<void> {
    const name = this.#pick(BOXES)
    const meta = this.#meta('container')
    const versions = this.#random.below(4) === 0 ? this.#random.below(3) > 0 : undefined
    const answer = await this.#ask('PUT', `/${quoted(name)}`, { ...meta, ...(versions === undefined ? {} : { 'x-versions-enabled': String(versions) }) })
    assert.equal(answer.status, this.model.putBox(name, meta, versions))
  }

  async removeBox(): Promise<void> {
    if (this.#random.below(3) > 0) return
    const name = this.#pick(BOXES)
    assert.equal((await this.#ask('DELETE', `/${quoted(name)}`)).status, this.model.removeBox(name))
  }

  async headBox(): Promise<void> {
    const name = this.#pick(BOXES)
    const answer = await this.#ask('HEAD', `/${quoted(name)}`)
    const box = this.model.boxes.get(name)
    assert.equal(answer.status, box ? 204 : 404)
    if (!box) return
    const { objects, bytes } = this.model.totals(box)
    assert.deepEqual([answer.headers['x-container-object-count'], answer.headers['x-container-bytes-used']], [String(objects), String(bytes)])
    assert.deepEqual(metaOf(answer, 'container'), box.meta)
  }

  async account(): Promise<void> {
    const meta = this.#meta('account')
    assert.equal((await this.#ask('POST', '', meta)).status, 204)
    merge(this.model.meta, meta)
    const answer = await this.#ask('GET', '?format=json')
    assert.deepEqual(metaOf(answer, 'account'), this.model.meta)
    const totals = [...this.model.boxes].map(([name, box]) => ({ name, ...this.model.totals(box) }))
    assert.deepEqual(answer.json.map((one: { name: string; count: number; bytes: number }) => [one.name, one.count, one.bytes]), totals.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))).map((one) => [one.name, one.objects, one.bytes]))
    assert.equal(answer.headers['x-account-bytes-used'], String(totals.reduce((sum, one) => sum + one.bytes, 0)))
  }

  #at(): { box: ReturnType<Model['boxes']['get']>; path: string; name: string; boxName: string } {
    const [boxName, name] = [this.#pick(BOXES), this.#pick(NAMES)]
    return { box: this.model.boxes.get(boxName), boxName, name, path: `/${quoted(boxName)}/${quoted(name)}` }
  }

  #thing(): Thing {
    const body = Buffer.alloc(this.#random.below(8) === 0 ? 0 : this.#random.below(2000), `${this.#random.below(1000)} `)
    const meta = Object.fromEntries(Object.entries(this.#meta('object')).filter(([, value]) => value !== ''))
    return { body, etag: md5(body), type: this.#pick(TYPES), meta }
  }

  async put(): Promise<void> {
    const { box, name, path } = this.#at()
    const thing = this.#thing()
    const fresh = this.#random.below(5) === 0
    const wrong = this.#random.below(12) === 0
    const answer = await this.#ask('PUT', path, { 'content-type': thing.type, 'content-length': String(thing.body.length), ...thing.meta, ...(fresh ? { 'if-none-match': '*' } : {}), ...(wrong ? { etag: md5('another') } : {}) }, thing.body)
    const expected = !box ? 404 : fresh && box.objects.has(name) ? 412 : wrong ? 422 : 201
    assert.equal(answer.status, expected)
    if (expected !== 201) return
    assert.equal(answer.headers.etag, thing.etag)
    this.model.put(box!, name, thing, box!.versions === 'on' ? answer.headers['x-object-version-id'] as string : undefined, this.#now())
  }

  async get(): Promise<void> {
    const { box, name, path } = this.#at()
    const thing = box?.objects.get(name)?.thing
    const method = this.#pick(['GET', 'GET', 'HEAD'])
    const range = thing && !thing.segments && method === 'GET' && this.#random.below(3) === 0 ? this.#pick(['0-0', '5-20', '-7', '100-', '9999-']) : undefined
    this.#judge(await this.#ask(method, path, range === undefined ? {} : { range: `bytes=${range}` }), method, thing, box, range)
  }

  #judge(answer: Answer, method: string, thing: Thing | undefined, box: ReturnType<Model['boxes']['get']>, range?: string): void {
    if (!thing) return assert.equal(answer.status, 404)
    const bytes = thing.segments ? this.#whole(box!, thing.segments) : thing.body
    if (bytes === undefined) return void (method === 'GET' && assert.equal(answer.status, 409))
    const expected = range === undefined ? { status: 200, bytes } : ranged(bytes, range)
    assert.equal(answer.status, expected.status)
    if (expected.status === 416) return
    if (method === 'GET') assert.equal(answer.text, expected.bytes.toString())
    assert.deepEqual([String(answer.headers.etag).replaceAll('"', ''), answer.headers['content-type'], metaOf(answer, 'object')], [etagOf(thing), thing.type, thing.meta])
    assert.equal(answer.headers['content-length'], String(method === 'HEAD' ? sizeOf(thing) : expected.bytes.length))
  }

  /** Undefined when a segment is not what the manifest says. */
  #whole(box: NonNullable<ReturnType<Model['boxes']['get']>>, segments: readonly Segment[]): Buffer | undefined {
    const found = segments.map((one) => ({ one, thing: box.objects.get(one.name)?.thing }))
    return found.every(({ one, thing }) => thing && !thing.segments && thing.etag === one.etag && thing.body.length === one.size) ? Buffer.concat(found.map(({ thing }) => thing!.body)) : undefined
  }

  async remove(): Promise<void> {
    const { box, name, path } = this.#at()
    const answer = await this.#ask('DELETE', path)
    assert.equal(answer.status, box ? this.model.remove(box, name, answer.headers['x-object-version-id'] as string | undefined) : 404)
  }

  async post(): Promise<void> {
    const { box, name, path } = this.#at()
    const thing = box?.objects.get(name)?.thing
    const meta = Object.fromEntries(Object.entries(this.#meta('object')).filter(([, value]) => value !== ''))
    const type = this.#random.below(2) === 0 ? this.#pick(TYPES) : undefined
    assert.equal((await this.#ask('POST', path, { ...meta, ...(type ? { 'content-type': type } : {}) })).status, thing ? 202 : 404)
    if (!thing) return
    thing.meta = meta
    const version = box!.objects.get(name)!
    if (version.id === undefined) version.at = this.#now()
    if (type) thing.type = type
  }

  async copy(): Promise<void> {
    const from = this.#at()
    const to = this.#at()
    const source = from.box?.objects.get(from.name)?.thing
    if (source?.segments) return
    const answer = await this.#ask('COPY', from.path, { destination: `${quoted(to.boxName)}/${quoted(to.name)}`, 'x-object-meta-copied': 'yes' })
    const expected = source && to.box ? 201 : 404
    assert.equal(answer.status, expected)
    if (expected === 201) this.model.put(to.box!, to.name, { ...source!, meta: { ...source!.meta, 'x-object-meta-copied': 'yes' } }, to.box!.versions === 'on' ? answer.headers['x-object-version-id'] as string : undefined, this.#now())
  }

  async list(): Promise<void> {
    const boxName = this.#pick(BOXES)
    const box = this.model.boxes.get(boxName)
    const word = (): string => this.#pick([...NAMES, 'a/b/', 'c', 'A', 'a/bb'])
    const some = <T>(value: T): T | undefined => (this.#random.below(2) === 0 ? value : undefined)
    const query: ListQuery = {}
    const given = { prefix: some(this.#pick(['a', 'a/', 'a/b', 'b/', 'é', '\u{1f600}', 'x'])), delimiter: some(this.#pick(['/', '/', 'b', '//'])), marker: some(word()), end_marker: some(word()), reverse: some(true), limit: some(1 + this.#random.below(6)) }
    for (const [key, value] of Object.entries(given)) if (value !== undefined) (query as Record<string, unknown>)[key] = value
    const text = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`).join('&')
    const answer = await this.#ask('GET', `/${quoted(boxName)}?format=json&${text}`)
    assert.equal(answer.status, box ? 200 : 404)
    if (!box) return
    const expected = page(box.objects.keys(), query).map((one) => {
      const thing = one.name === undefined ? undefined : box.objects.get(one.name)!.thing!
      return thing ? [one.name, sizeOf(thing), thing.segments ? undefined : thing.etag, thing.type] : [one.subdir]
    })
    const rows = answer.json as { name?: string; subdir?: string; bytes: number; hash: string; content_type: string; slo_etag?: string }[]
    assert.deepEqual(rows.map((row) => (row.subdir === undefined ? [row.name, row.bytes, row.slo_etag === undefined ? row.hash : undefined, row.content_type] : [row.subdir])), expected)
  }

  async byVersion(): Promise<void> {
    const boxName = this.#pick(BOXES)
    const box = this.model.boxes.get(boxName)
    if (!box || box.versions === 'never') return
    const all = versions(box)
    const listed = (await this.#ask('GET', `/${quoted(boxName)}?versions&format=json`)).json as { name: string; version_id: string; is_latest: boolean; bytes: number }[]
    assert.deepEqual(listed.map((one) => [one.name, one.version_id, one.is_latest, one.bytes]), all.map((one) => [one.name, one.id, one.latest, one.bytes]))
    const named = all.filter((one) => one.id !== 'null')
    if (named.length === 0) return
    const { name, id } = this.#pick(named)
    const path = `/${quoted(boxName)}/${quoted(name)}?version-id=${id}`
    const { thing } = this.model.version(box, name, id)!
    if (thing?.segments) return
    this.#judge(await this.#ask('GET', path), 'GET', thing, box)
    if (this.#random.below(2) === 0) {
      assert.equal((await this.#ask('DELETE', path)).status, 204)
      this.model.removeVersion(box, name, id)
    } else if (thing && box.versions === 'on') {
      assert.equal((await this.#ask('PUT', path)).status, 201)
      if (box.objects.get(name)?.id === id) return
      this.model.removeVersion(box, name, id)
      this.model.put(box, name, thing, id, this.#now())
    }
  }

  async slo(): Promise<void> {
    const { box, boxName, name, path } = this.#at()
    if (!box) return
    const parts = Array.from({ length: 1 + this.#random.below(3) }, () => this.#pick(NAMES)).filter((one) => one !== name && !box.objects.get(one)?.thing?.segments)
    if (parts.length === 0) return
    const answer = await this.#ask('PUT', `${path}?multipart-manifest=put`, { 'content-type': 'image/png' }, Buffer.from(JSON.stringify(parts.map((one) => ({ path: `/${boxName}/${one}` })))))
    const things = parts.map((one) => box.objects.get(one)?.thing)
    const good = things.every((one, i) => one && (one.body.length > 0 || i === things.length - 1))
    assert.equal(answer.status, good ? 201 : 400, answer.text)
    if (!good) return
    const segments = parts.map((one, i) => ({ name: one, etag: things[i]!.etag, size: things[i]!.body.length }))
    this.model.put(box, name, { body: Buffer.alloc(0), etag: '', type: 'image/png', meta: {}, segments }, box.versions === 'on' ? answer.headers['x-object-version-id'] as string : undefined, this.#now())
  }

  /** At the end, everything once. */
  async judgeAll(): Promise<void> {
    await this.account()
    for (const [boxName, box] of this.model.boxes) {
      for (const name of NAMES) this.#judge(await this.#ask('GET', `/${quoted(boxName)}/${quoted(name)}`), 'GET', box.objects.get(name)?.thing, box)
    }
  }
}

function ranged(bytes: Buffer, range: string): { status: number; bytes: Buffer } {
  const [first = '', last = ''] = range.split('-')
  const start = first === '' ? Math.max(0, bytes.length - Number(last)) : Number(first)
  const end = first === '' || last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1)
  return start >= bytes.length ? { status: 416, bytes } : { status: 206, bytes: bytes.subarray(start, end) }
}

const metaOf = (answer: Answer, level: string): Metadata => Object.fromEntries(Object.entries(answer.headers).filter(([name]) => name.startsWith(`x-${level}-meta-`))) as Metadata
