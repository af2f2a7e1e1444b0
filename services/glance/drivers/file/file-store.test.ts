import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeConformance } from '../conformance.ts'
import { fileStore } from './file-store.ts'

storeConformance('file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-store-'))
  return {
    open: async () => fileStore(dir),
    async killedWrite() {
      const path = join(dir, `${randomUUID()}.part-1-0`)
      await writeFile(path, 'half of it')
      return {
        left: () =>
          stat(path).then(
            () => true,
            () => false,
          ),
      }
    },
    dispose: () => rm(dir, { recursive: true, force: true }),
  }
})
