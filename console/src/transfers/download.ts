/** An object becomes a file of the browser's. */
import { ask } from '../api/object-store.ts'
import type { FileHandle, Sink } from './save.ts'

/** Bytes that are held by the browser until all are there; more goes to a file that was chosen, or by an address that the browser saves from. */
export const HELD = 256 * 2 ** 20

export interface Download {
  projectId: string
  container: string
  name: string
  /** Of an object, where it is not the one that it is now. */
  version?: string
  /** Where it is written to; none: it is held, and then saved by its name. */
  file?: FileHandle
}

export async function downloadObject({ projectId, container, name, version, file }: Download, signal: AbortSignal, onProgress: (received: number) => void): Promise<void> {
  const response = await ask(projectId, 'GET', { container, object: name, signal, query: { 'version-id': version } })
  const sink = (await file?.createWritable()) ?? held(fileName(name))
  let received = 0
  try {
    for (const reader = response.body!.getReader(); ; ) {
      const { done, value } = await reader.read()
      if (done) break
      await sink.write(value)
      onProgress((received += value.length))
    }
  } catch (thrown) {
    await sink.abort().catch(() => {})
    throw thrown
  }
  await sink.close()
}

function held(name: string): Sink {
  let parts: Uint8Array<ArrayBuffer>[] = []
  return {
    write: async (part) => void parts.push(part),
    abort: async () => void (parts = []),
    async close() {
      // Of no type: the browser saves it and never opens it as a page of this origin.
      const url = URL.createObjectURL(new Blob(parts, { type: 'application/octet-stream' }))
      saveFrom(url, name)
      setTimeout(() => URL.revokeObjectURL(url), 60_000)
    },
  }
}

/** The browser saves what is at an address. */
export function saveFrom(address: string, name: string): void {
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.rel = 'noopener'
  link.click()
}

export const fileName = (name: string): string => name.replace(/\/+$/, '').split('/').pop() || 'object'
