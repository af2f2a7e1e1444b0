/** The way an object comes to the reader's disk: through this page where it is small, else to a file that one chooses, else by an address. */
import { useQueryClient } from '@tanstack/react-query'
import { containerQuery } from '../../api/containers.ts'
import type { StoredObject } from '../../api/objects.ts'
import { temporaryUrl } from '../../api/temporary-url.ts'
import { fileName, HELD, saveFrom } from '../../transfers/download.ts'
import { canPick, pickFile } from '../../transfers/save.ts'
import { transfers } from '../../transfers/transfers.ts'

/** Seconds for the browser to begin; what has begun is not cut. */
const SOON = 300

/** `askForKey` is called for what is too large to hold and has no address yet. */
export function useDownload(projectId: string, container: string, askForKey: (name: string) => void): (object: Pick<StoredObject, 'name' | 'bytes'>) => Promise<void> {
  const queryClient = useQueryClient()
  return async ({ name, bytes }) => {
    const place = { projectId, container, name, size: bytes }
    if (bytes <= HELD) return transfers.download(place)
    const facts = queryClient.getQueryData(containerQuery(projectId, container).queryKey)
    // Asked before anything else: browsers let a page ask only while a click is handled.
    if (!facts?.key && canPick()) {
      const file = await pickFile(fileName(name))
      return file && transfers.download({ ...place, file })
    }
    const { key, ahead } = facts ?? (await queryClient.fetchQuery(containerQuery(projectId, container)).catch(() => undefined)) ?? {}
    if (!key || ahead === undefined) return askForKey(name)
    saveFrom(temporaryUrl(projectId, { container, object: name }, key, Math.floor((Date.now() + ahead) / 1000) + SOON), fileName(name))
  }
}
