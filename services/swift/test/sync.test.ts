/** Container sync between two clouds, and what else goes by names and signatures of operators: domains, aliases, the admin sections of /info. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { unavailable } from '#base/fault.ts'
import { syncContainers } from '../api/container-sync.ts'
import { syncSignature } from '../core/sync.ts'
import { changesOf } from '../store/sync.ts'
import { A, type SwiftKit, swiftKit } from './kit.ts'

const REALMS = [{ name: 'US', key: 'realm key', key2: 'older key', clusters: [{ name: 'EAST', url: 'http://east.example/v1/' }, { name: 'WEST', url: 'http://west.example/v1' }] }]
/** As it stands on the wire. */
const RED = Buffer.from('réd').toString('latin1')
const B = '/v1/AUTH_project-b'
const waiting = async (kit: SwiftKit): Promise<number> => (await Promise.all((await kit.house.db.query.selectFrom('swift_containers').select('id').execute()).map(({ id }) => changesOf(kit.house.db, id, undefined, 1000)))).flat().length

async function pair(clock: VirtualClock): Promise<{ east: SwiftKit; west: SwiftKit; sync(from: SwiftKit, to: SwiftKit, away?: boolean): Promise<{ sent: number; failed: number }>; close(): Promise<void> }> {
  const config = (current: string) => ({ driver: 'memory', container_sync: { realms: REALMS, current, interval_seconds: 30 } })
  const [east, west] = [await swiftKit(config('//us/east'), { clock }), await swiftKit(config('//US/WEST'), { clock })]
  return {
    east, west,
    sync: (from, to, away = false) => syncContainers(from.house, (origin) => (away ? () => Promise.reject(unavailable('nobody there')) : (request) => (assert.equal(origin, to === east ? 'http://east.example' : 'http://west.example'), to.handler(request)))),
    async close() {
      await east.close()
      await west.close()
    },
  }
}

test('a container is copied to another cloud and back: objects, metadata, deletions, manifests and links', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const { east, west, sync, close } = await pair(clock)
  try {
    const to = { 'x-container-sync-to': '//US/WEST/AUTH_project-b/copy', 'x-container-sync-key': 'our secret' }
    await east.ask('PUT', `${A}/box`)
    // What was there before the container was told to go.
    await east.ask('PUT', `${A}/box/old`, { body: 'old', headers: { 'x-object-meta-color': RED, 'content-type': 'text/x-old' } })
    assert.equal((await east.ask('POST', `${A}/box`, { headers: to })).status, 204)
    await west.ask('PUT', `${B}/copy`, { as: 'member@project-b', headers: { 'x-container-sync-to': '//US/EAST/AUTH_project-a/box', 'x-container-sync-key': 'our secret' } })
    const there = (method: string, name: string) => west.ask(method, `${B}/copy/${name}`, { as: 'member@project-b' })
    await clock.advance(1000)
    await east.ask('PUT', `${A}/box/${encodeURIComponent('né w')}`, { body: 'new' })
    await east.ask('PUT', `${A}/box/slo?multipart-manifest=put`, { body: JSON.stringify([{ path: '/box/old' }, { path: '/box/né w' }]) })
    await east.ask('PUT', `${A}/box/link`, { body: '', headers: { 'x-symlink-target': 'copy/old', 'content-length': '0' } })
    assert.deepEqual(await sync(east, west, true), { sent: 0, failed: 1 })
    assert.equal(await waiting(east), 4)
    assert.equal((await sync(east, west)).failed, 0)
    assert.equal(await waiting(east), 0)
    const old = await there('GET', 'old')
    assert.deepEqual([old.text, old.headers['x-object-meta-color'], old.headers['content-type'], old.headers['x-timestamp']], ['old', RED, 'text/x-old', '1800000000.00000'])
    assert.equal((await there('GET', encodeURIComponent('né w'))).text, 'new')
    // The manifest names /box, which the other account does not have; it is a manifest all the same.
    assert.deepEqual([(await there('HEAD', 'slo')).headers['x-static-large-object'], (await there('HEAD', 'slo')).headers['content-length']], ['True', '6'])
    assert.equal((await there('GET', 'link')).text, 'old')
    // Back again: everything there is as old as here, so nothing moves.
    assert.equal((await sync(west, east)).failed, 0)
    assert.equal((await sync(east, west)).sent, 0)
    // Changes on both sides: the later one stays.
    await clock.advance(1000)
    await west.ask('PUT', `${B}/copy/old`, { as: 'member@project-b', body: 'from west' })
    await clock.advance(1000)
    await east.ask('PUT', `${A}/box/old`, { body: 'from east, later' })
    await east.ask('DELETE', `${A}/box/link`)
    await sync(west, east)
    await sync(east, west)
    assert.equal((await there('GET', 'old')).text, 'from east, later')
    assert.equal((await east.ask('GET', `${A}/box/old`)).text, 'from east, later')
    assert.equal((await there('HEAD', 'link')).status, 404)
    await clock.advance(1000)
    await east.ask('POST', `${A}/box/old`, { headers: { 'x-object-meta-color': 'blue' } })
    await sync(east, west)
    assert.equal((await there('HEAD', 'old')).headers['x-object-meta-color'], 'blue')
    // An older deletion does not take away what is newer.
    await east.ask('DELETE', `${A}/box/old`)
    await clock.advance(1000)
    await west.ask('PUT', `${B}/copy/old`, { as: 'member@project-b', body: 'newer than its deletion' })
    await sync(east, west)
    assert.equal((await there('GET', 'old')).text, 'newer than its deletion')
    await east.ask('POST', `${A}/box`, { headers: { 'x-remove-container-sync-to': 'x' } })
    await east.ask('PUT', `${A}/box/own`, { body: 'stays' })
    assert.deepEqual(await sync(east, west), { sent: 0, failed: 0 })
    assert.equal((await there('GET', 'own')).status, 404)
  } finally {
    await close()
  }
})

test('who does not have both keys is let in nowhere, and what cannot be is refused', async () => {
  const { west, close } = await pair(new VirtualClock(1_800_000_000_000))
  try {
    const { ask } = west
    await ask('PUT', `${A}/box`, { headers: { 'x-container-sync-key': 'our secret' } })
    await ask('PUT', `${A}/box/o`, { body: 'x' })
    await ask('PUT', `${A}/closed`)
    const signed = (method: string, path: string, realmKey: string, userKey: string, stamp: string) => ({ as: 'nobody', headers: { 'x-timestamp': stamp, 'x-container-sync-auth': `us nonce ${syncSignature(method, path, stamp, 'nonce', realmKey, userKey)}` } })
    const stamp = '1800000001.00000'
    for (const key of ['realm key', 'older key']) assert.equal((await ask('HEAD', `${A}/box/o`, signed('HEAD', `${A}/box/o`, key, 'our secret', stamp))).status, 200)
    const cases: [string, string, ReturnType<typeof signed>][] = [
      ['HEAD', `${A}/box/o`, signed('HEAD', `${A}/box/o`, 'wrong', 'our secret', stamp)],
      ['HEAD', `${A}/box/o`, signed('HEAD', `${A}/box/o`, 'realm key', 'wrong', stamp)],
      ['DELETE', `${A}/box/o`, signed('HEAD', `${A}/box/o`, 'realm key', 'our secret', stamp)],
      ['HEAD', `${A}/box/o2`, signed('HEAD', `${A}/box/o`, 'realm key', 'our secret', stamp)],
      ['HEAD', `${A}/closed/o`, signed('HEAD', `${A}/closed/o`, 'realm key', 'our secret', stamp)],
      ['HEAD', `${A}/closed/o`, signed('HEAD', `${A}/closed/o`, 'realm key', '', stamp)],
      ['GET', `${A}/box`, signed('GET', `${A}/box`, 'realm key', 'our secret', stamp)],
      ['HEAD', `${A}/box/o`, { as: 'nobody', headers: { 'x-timestamp': '1', 'x-container-sync-auth': 'nonsense' } }],
    ]
    for (const [method, path, how] of cases) assert.equal((await ask(method, path, how)).status, 401, `${method} ${path}`)
    // The signature is for an object as it stands.
    await ask('PUT', `${A}/other`)
    await ask('PUT', `${A}/other/secret`, { body: 'secret' })
    const good = signed('PUT', `${A}/box/taken`, 'realm key', 'our secret', stamp)
    await ask('PUT', `${A}/box/taken`, { ...good, body: '', headers: { ...good.headers, 'content-length': '0', 'x-copy-from': 'other/secret' } })
    assert.equal((await ask('GET', `${A}/box/taken`)).text, '')
    const copy = signed('COPY', `${A}/box/o`, 'realm key', 'our secret', stamp)
    assert.equal((await ask('COPY', `${A}/box/o`, { ...copy, headers: { ...copy.headers, destination: 'other/o' } })).status, 401)
    // A timestamp of one's own is nobody's without the keys.
    await ask('PUT', `${A}/box/o`, { body: 'y', headers: { 'x-timestamp': '1' } })
    assert.equal((await ask('HEAD', `${A}/box/o`)).headers['x-timestamp'], '1800000000.00000')
    assert.equal((await ask('HEAD', `${A}/box`, { as: 'reader' })).headers['x-container-sync-key'], undefined)
    for (const value of ['http://elsewhere/v1/a/c', '//US/WEST/a', '//EU/WEST/a/c', '//US/NORTH/a/c']) assert.equal((await ask('POST', `${A}/box`, { headers: { 'x-container-sync-to': value } })).status, 400, value)
    await ask('PUT', `${A}/versions`, { headers: { 'x-versions-enabled': 'true' } })
    assert.equal((await ask('POST', `${A}/versions`, { headers: { 'x-container-sync-to': '//US/WEST/a/c' } })).status, 400)
    assert.deepEqual((await ask('GET', '/info')).json.container_sync, { realms: { US: { clusters: { EAST: {}, WEST: { current: true } } } } })
  } finally {
    await close()
  }
})

test('a host name is a container, by itself or by an alias of it', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const asked: string[] = []
  const aliases: Record<string, string> = { 'www.example.org': 'cdn.example.net', 'cdn.example.net': 'box.auth-project-a.store.example', 'long.example.org': 'www.example.org' }
  const kit = await swiftKit({ storage_domain: 'store.example', cname_lookup_depth: 2 }, { clock, seams: { aliasOf: async (name) => (asked.push(name), aliases[name]) } })
  try {
    await kit.ask('PUT', `${A}/box`)
    await kit.ask('PUT', `${A}/box/dir/o`, { body: 'x' })
    const at = async (host: string, path: string): Promise<[number, string]> => {
      const { status, text } = await kit.ask('GET', path, { headers: { host } })
      return [status, status === 200 ? text : '']
    }
    for (const [host, path] of [['box.auth-project-a.store.example', '/dir/o'], ['box.AUTH_project-a.store.example:5000', '/v1/dir/o'], ['auth-project-a.store.example', '/box/dir/o'], ['www.example.org', '/dir/o'], ['www.example.org:80', '/v1/dir/o']] as const) assert.deepEqual(await at(host, path), [200, 'x'], `${host}${path}`)
    assert.equal((await at('a.b.c.store.example', '/o'))[0], 400)
    assert.equal((await at('long.example.org', '/dir/o'))[0], 404)
    assert.deepEqual(await at('other.example.org', `${A}/box/dir/o`), [200, 'x'])
    const before = asked.length
    await at('www.example.org', '/dir/o')
    assert.equal(asked.length, before, 'remembered for a minute')
    await clock.advance(61_000)
    await at('www.example.org', '/dir/o')
    assert.equal(asked.length, before + 2)
    assert.ok(!asked.some((name) => /^127|store\.example$/.test(name)))
  } finally {
    await kit.close()
  }
})

test('sections of /info that are not for everybody want a signature', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const kit = await swiftKit({ admin_key: 'the key', disallowed_sections: ['tempurl', 'swift.policies'] }, { clock })
  try {
    const sign = (method: string, at: number): string => `swiftinfo_sig=${createHmac('sha1', 'the key').update(`${method}\n${at}\n/info`).digest('hex')}&swiftinfo_expires=${at}`
    const open = (await kit.ask('GET', '/info', { as: 'nobody' })).json
    assert.deepEqual([open.tempurl, open.swift.policies, open.admin, typeof open.slo], [undefined, undefined, undefined, 'object'])
    const admin = (await kit.ask('GET', `/info?${sign('GET', 1_800_000_060)}`, { as: 'nobody' })).json
    assert.deepEqual([typeof admin.tempurl, admin.swift.policies.length, admin.admin], ['object', 1, { disallowed_sections: ['tempurl', 'swift.policies'] }])
    for (const query of [sign('GET', 1_799_999_999), sign('PUT', 1_800_000_060), 'swiftinfo_sig=x&swiftinfo_expires=1800000060', 'swiftinfo_sig=x']) assert.equal((await kit.ask('GET', `/info?${query}`, { as: 'nobody' })).status, 401, query)
    const none = await swiftKit({ expose_info: false })
    assert.equal((await none.ask('GET', '/info')).status, 403)
    await none.close()
  } finally {
    await kit.close()
  }
})

