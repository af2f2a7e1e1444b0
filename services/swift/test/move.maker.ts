/** Moves everything of the store in a folder to the policy `gold`, as `ondol swift move` does, and says each step. */
import { readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { withDefaults } from '#base/config.ts'
import { openDatabase } from '#base/sql/open.ts'
import { world } from '#base/world.ts'
import { type SwiftConfig, swiftConfig } from '../config.ts'
import { swiftManage } from '../processes/manage.ts'

export const POLICIES = [{ name: 'standard' }, { name: 'gold', driver: 'files' }]

if (import.meta.main) {
  const [dir] = process.argv.slice(2) as [string]
  const db = await openDatabase({ url: `sqlite:${join(dir, 'ondol.db')}`, durability: 'safe' })
  const manage = swiftManage({ world: world({}), config: withDefaults(swiftConfig, { policies: POLICIES }) as SwiftConfig, db, dataDir: dir })
  const moved = await manage.move('gold', {}, { report: ({ objects }) => {
    writeSync(1, `moved ${objects}\n`)
    // Until the one who counts the steps says so, or ends this process.
    for (const answer = Buffer.alloc(1); ; Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)) {
      try {
        if (readSync(0, answer) >= 0) return
      } catch (thrown) {
        if ((thrown as { code?: string }).code !== 'EAGAIN') throw thrown
      }
    }
  } })
  if (moved.failed.length > 0) throw new Error(JSON.stringify(moved.failed))
  await manage.close()
  await db.close()
}
