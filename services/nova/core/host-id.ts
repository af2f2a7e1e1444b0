/** `hostId`: tells a project whether two of its servers share a host, and nothing else. */
import { createHash } from 'node:crypto'

export function hostIdHash(projectId: string, host: string | null): string {
  return host === null || host === '' ? '' : createHash('sha224').update(projectId + host).digest('hex')
}
