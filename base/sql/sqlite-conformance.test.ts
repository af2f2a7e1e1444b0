import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from './open.ts'
import { sqlConformance } from './test/conformance.ts'

sqlConformance({
  name: 'sqlite',
  alone: true,
  async open() {
    const dir = await mkdtemp(join(tmpdir(), 'ondol-sql-'))
    return { url: `sqlite:${join(dir, 'test.db')}`, remove: () => rm(dir, { recursive: true }) }
  },
  connect: (url) => openDatabase({ url, durability: 'fast' }),
})
