/** Where a browser lets a page write to a file that one has chosen (Chromium, on HTTPS or this machine), an object of any size goes straight there. */

interface FileHandle {
  createWritable(): Promise<{ write(part: Uint8Array<ArrayBuffer>): Promise<void>; close(): Promise<void>; abort(): Promise<void> }>
}

export type Sink = Awaited<ReturnType<FileHandle['createWritable']>>

type Picker = (options: { suggestedName: string }) => Promise<FileHandle>

const picker = (): Picker | undefined => (globalThis as { showSaveFilePicker?: Picker }).showSaveFilePicker

export const canPick = (): boolean => picker() !== undefined

/** Must be called while a click is handled. Undefined: no file was chosen. */
export async function pickFile(name: string): Promise<FileHandle | undefined> {
  try {
    return await picker()!({ suggestedName: name })
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'AbortError') return undefined
    throw thrown
  }
}

export type { FileHandle }
