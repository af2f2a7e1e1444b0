import { storeConformance } from '../conformance.ts'
import { memoryStore } from './memory-store.ts'

storeConformance('memory', async () => {
  const store = memoryStore(() => 1_700_000_000_000)
  return { open: async () => store, dispose: async () => {} }
})
