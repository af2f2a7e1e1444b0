/** What a container keeps of objects that were replaced or deleted (`X-Versions-Enabled`). */
import { queryOptions } from '@tanstack/react-query'
import { ask, storeKey } from './object-store.ts'
import type { Failed, StoredObject } from './objects.ts'
import { inParallel } from './parallel.ts'

export interface Version extends StoredObject {
  version_id: string
  is_latest: boolean
}

const PAGE = 1000
/** So many pages are looked through for what was deleted. */
const PAGES = 20
const AT_ONCE = 6

/** A mark that the object was deleted then. */
export const isMark = ({ content_type }: StoredObject): boolean => content_type.startsWith('application/x-deleted')

async function listVersions(projectId: string, container: string, query: { prefix?: string | undefined; marker?: string | undefined; version_marker?: string | undefined }, signal: AbortSignal): Promise<Version[]> {
  return (await (await ask(projectId, 'GET', { container, query: { versions: '', format: 'json', limit: PAGE, ...query }, signal })).json()) as Version[]
}

/** Of one object: what it is now, then the newest first. */
export const versionsQuery = (projectId: string, container: string, object: string) =>
  queryOptions({
    queryKey: [...storeKey(projectId), 'versions', container, object],
    // Longer names come after it.
    queryFn: async ({ signal }): Promise<Version[]> => (await listVersions(projectId, container, { prefix: object }, signal)).filter(({ name }) => name === object).sort((a, b) => Number(b.is_latest) - Number(a.is_latest)),
  })

/** Objects below a folder that are not there any more, each with what it was last. */
export const deletedQuery = (projectId: string, container: string, folder: string) =>
  queryOptions({
    queryKey: [...storeKey(projectId), 'deleted', container, folder],
    queryFn: async ({ signal }): Promise<Version[]> => {
      const found: Version[] = []
      let gone: string | undefined
      let last: Version | undefined
      for (let page = 0; page < PAGES; page++) {
        const versions = await listVersions(projectId, container, { prefix: folder || undefined, marker: last?.name, version_marker: last?.version_id }, signal)
        for (const one of versions) {
          if (one.is_latest) gone = isMark(one) ? one.name : undefined
          else if (one.name === gone && !isMark(one)) {
            found.push(one)
            gone = undefined
          }
        }
        if (versions.length < PAGE) break
        last = versions.at(-1)
      }
      return found
    },
  })

/** It becomes what the object is now; what it was until now stays as a version. */
export async function restoreVersion(projectId: string, container: string, { name, version_id }: Version): Promise<void> {
  await ask(projectId, 'PUT', { container, object: name, query: { 'version-id': version_id }, raw: '' })
}

/** For ever, with the segments of those that have some. */
export async function removeVersion(projectId: string, container: string, { name, version_id, slo_etag }: Version): Promise<void> {
  await ask(projectId, 'DELETE', { container, object: name, query: { 'version-id': version_id, 'multipart-manifest': slo_etag === undefined ? undefined : 'delete' } })
}

/** All that a container keeps. */
export async function removeVersions(projectId: string, container: string, signal: AbortSignal, onProgress: (removed: number) => void): Promise<Failed[]> {
  const failed = new Map<string, string>()
  for (let removed = 0; ; ) {
    const versions = await listVersions(projectId, container, {}, signal)
    const left = versions.filter(({ name, version_id }) => !failed.has(`${name} ${version_id}`))
    if (left.length === 0) return [...failed]
    await inParallel(left, AT_ONCE, signal, async (one) => {
      try {
        await removeVersion(projectId, container, one)
        onProgress(++removed)
      } catch (thrown) {
        if (signal.aborted) throw thrown
        failed.set(`${one.name} ${one.version_id}`, thrown instanceof Error ? thrown.message : String(thrown))
      }
    })
    // Names that cannot be asked for fill the page.
    if (failed.size >= PAGE) return [...failed]
  }
}
