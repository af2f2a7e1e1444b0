/** Copying and moving of many: objects, and folders with all that is in them. The store does it; nothing passes through this browser. */
import { ApiError } from './client.ts'
import { copyObject, type Failed, type Line, moveObject, objectsBelow, type StoredObject } from './objects.ts'
import { inParallel } from './parallel.ts'

const AT_ONCE = 4

export interface Target {
  container: string
  /** What becomes of a chosen line's name: with its slash, where it is a folder. */
  rename: (name: string) => string
}

/** A folder cannot go into itself: there would be no end. */
export const isInItself = (container: string, lines: readonly Line[], target: Target): boolean =>
  target.container === container && lines.some((line) => (line.kind === 'folder' ? target.rename(line.name).startsWith(line.name) : target.rename(line.name) === line.name))

/** Answers what was not done and why; throws what a single object failed by. Stops when the signal says so; `onProgress` is told how many are done. */
export async function relocate(kind: 'copy' | 'move', projectId: string, container: string, lines: readonly Line[], target: Target, signal: AbortSignal, onProgress: (done: number) => void): Promise<Failed[]> {
  const failed: Failed[] = []
  const single = lines.length === 1 && lines[0]!.kind === 'object'
  let done = 0
  const run = kind === 'copy' ? copyObject : moveObject
  const all = (objects: readonly StoredObject[], rename: (name: string) => string): Promise<void> =>
    inParallel(objects, AT_ONCE, signal, async ({ name, slo_etag }) => {
      try {
        await run(projectId, { container, object: name, segmented: slo_etag !== undefined }, { container: target.container, object: rename(name) })
        onProgress(++done)
      } catch (thrown) {
        if (signal.aborted || single) throw thrown
        failed.push([name, thrown instanceof Error ? thrown.message : String(thrown), thrown instanceof ApiError && thrown.status === 412])
      }
    })
  await all(lines.flatMap((line) => (line.kind === 'object' ? [line.object] : [])), target.rename)
  for (const { kind: what, name: folder } of lines) {
    if (what === 'object') continue
    const into = target.rename(folder)
    for await (const page of objectsBelow(projectId, container, folder, signal)) await all(page, (name) => into + name.slice(folder.length))
  }
  return failed
}
