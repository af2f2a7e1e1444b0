/** The driver `s3` and the whole store on a real Ceph: `./ondol test ceph`. */
import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { realClock } from '#base/clock.ts'
import { isFault } from '#base/fault.ts'
import { all, bytesConformance, pattern, pieces } from '../drivers/conformance.ts'
import { s3Bytes } from '../drivers/s3/s3-bytes.ts'
import { moveBytes } from '../flows/move-bytes.ts'
import { A, swiftKit } from './kit.ts'
import { startRadosgw } from './radosgw.maker.ts'

const rgw = await startRadosgw()
if (!rgw) test('radosgw is not installed, or this is not root', { skip: true }, () => {})
else {
  console.log(`radosgw came up in ${rgw.startedIn} ms`)
  after(() => rgw.stop())
  const hexId = (): string => randomUUID().replaceAll('-', '')
  let serial = 0
  const settings = () => ({ url: rgw.url, bucket: `bytes-${++serial}`, region: 'us-east-1', access_key: rgw.access_key, secret_key: rgw.secret_key, placement: 'default-placement', storage_class: 'STANDARD' })

  bytesConformance('s3 on radosgw', async () => ({ driver: s3Bytes(settings(), realClock, hexId), later: () => Date.now() + 60_000, close: async () => {} }))

  test('parts of 5 MiB make one object, and what was begun and given up is swept', async () => {
    const driver = s3Bytes(settings(), realClock, hexId)
    const bytes = pattern(20 << 20)
    const id = await driver.write(pieces(bytes), undefined)
    assert.equal(createHash('md5').update(await all(driver, id, 0, bytes.length - 1)).digest('hex'), createHash('md5').update(bytes).digest('hex'))
    assert.deepEqual(await all(driver, id, (5 << 20) - 5, (5 << 20) + 5), bytes.subarray((5 << 20) - 5, (5 << 20) + 6))
    assert.equal(await driver.verify(id), 'good')
    await driver.sweep(Date.now() + 60_000)
    await driver.remove([id])
    assert.equal(await driver.verify(id), 'missing')
    await driver.close()
  })

  test('the store serves from it, moves into it, and loses nothing when it is away', async () => {
    const kit = await swiftKit({ policies: [{ name: 'here' }, { name: 'ceph', driver: 's3', s3: settings() }] })
    try {
      const { ask } = kit
      await ask('PUT', `${A}/box`)
      const body = pattern(300_000).toString('latin1')
      for (let i = 0; i < 20; i++) assert.equal((await ask('PUT', `${A}/box/o${i}`, { body: `${i} ${i % 5 === 0 ? body : ''}` })).status, 201)
      const moved = await moveBytes(kit.house, 'ceph', {})
      assert.deepEqual([moved.objects, moved.failed], [20, []])
      for (let i = 0; i < 20; i++) assert.equal((await ask('GET', `${A}/box/o${i}`)).text, `${i} ${i % 5 === 0 ? body : ''}`)
      assert.equal((await ask('PUT', `${A}/box/new`, { body: 'new' })).status, 201)
      await rgw.kill()
      const away = await ask('GET', `${A}/box/new`).catch((thrown: unknown) => (isFault(thrown, 'unavailable') ? { status: 503, headers: { 'retry-after': '5' } } : Promise.reject(thrown as Error)))
      assert.deepEqual([away.status, away.headers['retry-after']], [503, '5'])
      const refused = await ask('PUT', `${A}/box/lost`, { body: 'lost' })
      assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '5'])
      assert.equal((await ask('GET', `${A}/box/lost`)).status, 404)
      await rgw.restart()
      assert.equal((await ask('GET', `${A}/box/new`)).text, 'new')
      assert.equal((await ask('HEAD', `${A}/box`)).headers['x-container-object-count'], '21')
    } finally {
      await kit.close()
    }
  })
}
