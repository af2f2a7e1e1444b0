/** A page that leaps from folder to folder is the page that reads on: random names, delimiters, bounds and directions. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { seededRandom } from '#base/random.ts'
import { listPage } from '../core/listing.ts'
import { leapsIn, objectsIn } from '../store/listings.ts'
import { A, swiftKit } from './kit.ts'

const kit = await swiftKit()
after(() => kit.close())

const NOW = 1_800_000_000_000
const LETTERS = ['a', 'b', 'B', '/', '/', '-', 'é', '한', '\u{1f600}', '\u{10ffff}', '\ud7ff', '\u0001']

test('folders are the same whether they are leapt over or read', async () => {
  const random = seededRandom(20_261_121)
  const word = (most: number): string => Array.from({ length: 1 + random.below(most) }, () => LETTERS[random.below(LETTERS.length)]!).join('')
  await kit.ask('PUT', `${A}/leaps`)
  const { id } = await kit.house.db.query.selectFrom('swift_containers').select('id').where('name', '=', 'leaps').executeTakeFirstOrThrow()
  const names = [...new Set(Array.from({ length: 900 }, () => word(7)))]
  const rows = names.map((name, i) => ({ container_id: id, name, bytes_id: '', size: 1, stored: 1, etag: 'e', content_type: 'x', metadata: '{}', listing: null, parts: null, secret_id: null, created_at: 1, delete_at: i % 9 === 0 ? NOW - 1 : null, version_id: null }))
  for (let i = 0; i < rows.length; i += 300) await kit.house.db.query.insertInto('swift_objects').values(rows.slice(i, i + 300)).execute()
  let leapt = 0
  const leaps = leapsIn(kit.house.db, id, NOW)
  for (let round = 0; round < 300; round++) {
    const some = (): string => (random.below(3) > 0 ? '' : random.below(2) === 0 ? names[random.below(names.length)]! : word(2))
    const asked = { limit: [1, 3, 40, 10_000][random.below(4)]!, marker: some(), end_marker: some(), prefix: random.below(2) === 0 ? '' : word(1), delimiter: ['/', '/', 'é', '한', '\u{1f600}', '\u{10ffff}', '\ud7ff', 'a/', '-B'][random.below(9)]!, path: undefined, reverse: random.below(2) === 0 }
    const read = await listPage(asked, (window) => objectsIn(kit.house.db, id, NOW, window))
    const leap = await listPage(asked, (window) => objectsIn(kit.house.db, id, NOW, window), leaps && ((window, over) => {
      leapt++
      return leaps(window, over)
    }))
    const told = (lines: typeof read): unknown[] => lines.map(({ row, subdir }) => subdir ?? row)
    assert.deepEqual(told(leap), told(read), JSON.stringify(asked))
  }
  if (leaps) assert.ok(leapt > 100, `${leapt} leaps`)
})
