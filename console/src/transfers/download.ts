/** An object becomes a file of the browser's. */
import { ask } from '../api/object-store.ts'

/** Bytes that are held by the browser until all are there; more goes by an address that the browser saves from. */
export const HELD = 256 * 2 ** 20

export async function downloadObject({ projectId, container, name, version }: { projectId: string; container: string; name: string; version?: string }, signal: AbortSignal, onProgress: (received: number) => void): Promise<void> {
  const response = await ask(projectId, 'GET', { container, object: name, signal, query: { 'version-id': version } })
  const parts: Uint8Array<ArrayBuffer>[] = []
  let received = 0
  const reader = response.body?.getReader()
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done || !value) break
    parts.push(value)
    onProgress((received += value.length))
  }
  // Of no type: the browser saves it and never opens it as a page of this origin.
  const url = URL.createObjectURL(new Blob(parts, { type: 'application/octet-stream' }))
  saveFrom(url, fileName(name))
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
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
