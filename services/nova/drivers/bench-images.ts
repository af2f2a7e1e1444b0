/** A source of images for benches: counts, holds back on demand, and does not know ids that end in `-absent`. */
import { notFound } from '#base/fault.ts'
import type { ImageSource } from './interface.ts'

export interface BenchImages {
  source: ImageSource
  fetches(imageId: string): number
  holdImage(imageId: string): () => void
}

export function benchImages(deliver: (imageId: string, destination: string, signal: AbortSignal) => ReturnType<ImageSource['fetch']>): BenchImages {
  const counts = new Map<string, number>()
  const gates = new Map<string, Promise<void>>()
  return {
    source: {
      async fetch(imageId, destination, signal) {
        counts.set(imageId, (counts.get(imageId) ?? 0) + 1)
        await gates.get(imageId)
        signal.throwIfAborted()
        if (imageId.endsWith('-absent')) throw notFound(`Image ${imageId} could not be found.`)
        return deliver(imageId, destination, signal)
      },
    },
    fetches: (imageId) => counts.get(imageId) ?? 0,
    holdImage(imageId) {
      const gate = Promise.withResolvers<void>()
      gates.set(imageId, gate.promise)
      return gate.resolve
    },
  }
}
