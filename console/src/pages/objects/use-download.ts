/** The way an object comes to the reader's disk: by an address where the container has a key, through this page where it is small. */
import { useQueryClient } from '@tanstack/react-query'
import { containerQuery } from '../../api/containers.ts'
import type { StoredObject } from '../../api/objects.ts'
import { temporaryUrl } from '../../api/temporary-url.ts'
import { fileName, HELD, saveFrom } from '../../transfers/download.ts'
import { transfers } from '../../transfers/transfers.ts'

/** Seconds for the browser to begin; what has begun is not cut. */
const SOON = 300

/** `askForKey` is called for what is too large to hold and has no address yet. */
export function useDownload(projectId: string, container: string, askForKey: (name: string) => void): (object: StoredObject) => Promise<void> {
  const queryClient = useQueryClient()
  return async ({ name, bytes }) => {
    if (bytes <= HELD) return transfers.download({ projectId, container, name, size: bytes })
    const facts = await queryClient.fetchQuery(containerQuery(projectId, container)).catch(() => undefined)
    if (!facts?.key) return askForKey(name)
    saveFrom(temporaryUrl(projectId, { container, object: name }, facts.key, Math.floor((Date.now() + facts.ahead) / 1000) + SOON), fileName(name))
  }
}
