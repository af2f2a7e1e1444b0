/**
 * Every kind of damage to every kind of place, met by every way in which bytes are read, over real sockets: an answer is right, or an error, or
 * breaks off; never whole and wrong. And it is told.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { listen } from '#base/http/server.ts'
import { pattern } from '../drivers/conformance.ts'
import { audit } from '../flows/keep-order.ts'
import { swiftManage } from '../processes/manage.ts'
import { A, type SwiftKit, swiftKit } from './kit.ts'

const LARGE = 1_300_000
const SMALL = 3000
const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')
const bytesOf = (name: string): Buffer => pattern(name.startsWith('large') ? LARGE : SMALL, [...name].reduce((sum, one) => sum + one.charCodeAt(0), 0))

/** Path of the file, and where in it the bytes of the object are. */
async function placeOf({ house, bytesDir }: SwiftKit, name: string): Promise<{ path: string; offset: number; id: string }> {
  const { bytes_id: id } = await house.db.query.selectFrom('swift_objects').select('bytes_id').where('name', '=', name).executeTakeFirstOrThrow()
  const [kind, hex, ...rest] = id.split('-') as [string, string, ...string[]]
  return kind === 'p' ? { path: join(bytesDir, 'packs', hex), offset: Number.parseInt(rest[0]!, 36), id } : { path: join(bytesDir, hex.slice(0, 2), [hex, ...rest].join('-')), offset: 0, id }
}

async function flip(path: string, at: number, bits = 1): Promise<void> {
  const bytes = await readFile(path)
  bytes[at < 0 ? bytes.length + at : at]! ^= bits
  await writeFile(path, bytes)
}

type Harm = (kit: SwiftKit, name: string, other: string) => Promise<void>
const LARGE_HARMS: Record<string, Harm> = {
  'a bit of the first block': async (kit, name) => flip((await placeOf(kit, name)).path, 10),
  'a bit of the last block': async (kit, name) => flip((await placeOf(kit, name)).path, LARGE - 10, 0x80),
  'a bit of the sums': async (kit, name) => flip((await placeOf(kit, name)).path, LARGE + 1),
  'the last byte of the sums': async (kit, name) => flip((await placeOf(kit, name)).path, -1),
  'a file cut off in its bytes': async (kit, name) => truncate((await placeOf(kit, name)).path, LARGE >> 1),
  'a file cut off in its sums': async (kit, name) => truncate((await placeOf(kit, name)).path, LARGE + 2),
  'an empty file': async (kit, name) => truncate((await placeOf(kit, name)).path, 0),
  'a file full of zeros': async (kit, name) => writeFile((await placeOf(kit, name)).path, Buffer.alloc((await readFile((await placeOf(kit, name)).path)).length)),
  'no file': async (kit, name) => rm((await placeOf(kit, name)).path),
  'the file of another of its size': async (kit, name, other) => writeFile((await placeOf(kit, name)).path, await readFile((await placeOf(kit, other)).path)),
}
const SMALL_HARMS: Record<string, Harm> = {
  'a bit of its bytes': async (kit, name) => {
    const { path, offset } = await placeOf(kit, name)
    await flip(path, offset + 100)
  },
  'the bytes of another of its size': async (kit, name, other) => {
    const [to, from] = [await placeOf(kit, name), await placeOf(kit, other)]
    const bytes = await readFile(to.path)
    ;(await readFile(from.path)).copy(bytes, to.offset, from.offset, from.offset + SMALL)
    await writeFile(to.path, bytes)
  },
  'a pack that is cut off': async (kit, name) => {
    const { path, offset } = await placeOf(kit, name)
    await truncate(path, offset + 100)
  },
  'no pack': async (kit, name) => rm((await placeOf(kit, name)).path),
}
/** Heads are for walks through a pack alone: what is read is good. */
const HARMLESS: Record<string, Harm> = {
  'the mark of a head': async (kit, name) => {
    const { path, offset } = await placeOf(kit, name)
    await flip(path, offset - 10, 0xff)
  },
  'the length in a head': async (kit, name) => {
    const { path, offset } = await placeOf(kit, name)
    await flip(path, offset - 8, 0xff)
  },
  'the checksum in a head': async (kit, name) => {
    const { path, offset } = await placeOf(kit, name)
    await flip(path, offset - 4, 0xff)
  },
}

for (const encrypted of [false, true]) {
  for (const [size, harms, harmless] of [['large', LARGE_HARMS, false], ['small', SMALL_HARMS, false], ['small', HARMLESS, true]] as const) {
    for (const [what, harm] of Object.entries(harms)) {
      test(`${size}${encrypted ? ', encrypted' : ''}: ${what}`, async () => {
        const kit = await swiftKit({ encryption: { enabled: encrypted }, audit_files_per_second: 10_000 })
        await kit.start()
        const server = await listen(kit.handler, {})
        const [name, other] = [`${size}-a`, `${size}-b`]
        const good = bytesOf(name)
        const token = { 'x-auth-token': 'persona:member' }
        const visit = async (method: string, path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: Buffer | undefined }> => {
          const answer = await fetch(`${server.url}${A}/box/${path}`, { method, headers: { ...token, ...headers } }).catch(() => undefined)
          // Broken off before anything was said.
          if (!answer) return { status: 503, body: undefined }
          return { status: answer.status, body: await answer.arrayBuffer().then((bytes) => Buffer.from(bytes), () => undefined) }
        }
        try {
          await kit.ask('PUT', `${A}/box`)
          for (const one of [name, other]) assert.equal((await kit.ask('PUT', `${A}/box/${one}`, { body: bytesOf(one) })).status, 201)
          await kit.ask('PUT', `${A}/box/slo?multipart-manifest=put`, { body: JSON.stringify([{ path: `/box/${other}` }, { path: `/box/${name}` }, { path: `/box/${other}` }]) })
          await kit.ask('PUT', `${A}/box/dlo`, { body: '', headers: { 'x-object-manifest': `box/${size}-`, 'content-length': '0' } })
          await kit.ask('PUT', `${A}/box/link`, { body: '', headers: { 'x-symlink-target': `box/${name}`, 'content-length': '0' } })
          await kit.house.bytes.close()
          await harm(kit, name, other)
          const third = bytesOf(other)
          const ways: [string, string, Record<string, string>, Buffer][] = [
            [name, 'whole', {}, good], [name, 'range', { range: 'bytes=5-1500' }, good.subarray(5, 1501)], [name, 'end', { range: 'bytes=-700' }, good.subarray(-700)],
            ['slo', 'whole', {}, Buffer.concat([third, good, third])], ['slo?part-number=2', 'part', {}, good], ['slo', 'range', { range: `bytes=${third.length - 10}-${third.length + 10}` }, Buffer.concat([third.subarray(-10), good.subarray(0, 11)])],
            ['dlo', 'whole', {}, Buffer.concat([good, third])], ['link', 'whole', {}, good],
          ]
          let broken = 0
          for (const [path, how, headers, wanted] of ways) {
            const { status, body } = await visit('GET', path, headers)
            if (status < 300 && body !== undefined) assert.equal(md5(body), md5(wanted), `${path} ${how}: ${body.length} wrong bytes`)
            else broken++
            assert.ok(status < 300 || [409, 503].includes(status), `${path} ${how}: ${status}`)
          }
          if (harmless) assert.equal(broken, 0)
          else assert.ok(broken > 0)
          // A copy is whole, or it is not made.
          for (const from of [name, 'slo', 'dlo', 'link']) {
            const copied = await visit('PUT', `copy-of-${from}`, { 'x-copy-from': `/box/${from}`, 'content-length': '0' })
            const got = await visit('GET', `copy-of-${from}`)
            if (copied.status === 201) assert.equal(md5(got.body!), md5(from === 'slo' ? Buffer.concat([third, good, third]) : from === 'dlo' ? Buffer.concat([good, third]) : good), from)
            else assert.deepEqual([copied.status >= 409, got.status], [true, 404], `${from} ${copied.status}`)
          }
          // Who met it has told of it; and the auditor would have come by.
          const reported = async (): Promise<string[]> => (await kit.house.db.query.selectFrom('swift_quarantine').select('bytes_id').execute()).map((row) => row.bytes_id)
          const { id } = await placeOf(kit, name)
          if (harmless) {
            assert.deepEqual([await audit(kit.house), await reported()], [{ bad: 0 }, []])
            return
          }
          for (const end = performance.now() + 30_000; !(await reported()).includes(id) && performance.now() < end; ) await delay(5)
          assert.ok((await reported()).includes(id))
          const manage = swiftManage({ world: kit.house.world, config: kit.house.config, db: kit.house.db.as(), dataDir: join(kit.bytesDir, '..') })
          const told = (await manage.damaged()).find((one) => one.bytes_id === id)
          assert.deepEqual(told?.objects, [`AUTH_project-a/box/${name}`])
          await manage.close()
          // The other object is what it was, unless they shared what is gone.
          if (size === 'large') assert.equal(md5((await visit('GET', other)).body!), md5(bytesOf(other)))
          // Put anew it is good again.
          assert.equal((await kit.ask('PUT', `${A}/box/${name}`, { body: good })).status, 201)
          assert.equal(md5((await visit('GET', name)).body!), md5(good))
        } finally {
          await server.close(100)
          await kit.close()
        }
      })
    }
  }
}
