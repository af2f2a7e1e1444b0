/** An address by which whoever has it may get one object until it expires. */
import { pathOf } from './object-store.ts'
import { hmacSha256 } from './sha256.ts'

/** Durations that one may choose, in seconds. */
export const DURATIONS = { hour: 3600, day: 86_400, week: 604_800, month: 2_592_000, year: 31_536_000 } as const
export type Duration = keyof typeof DURATIONS

/** `expires` is in seconds since the epoch, by the clock of the cloud. It has no origin. */
export function temporaryUrl(projectId: string, { container, object }: { container: string; object: string }, key: string, expires: number): string {
  // Signed is the name itself, whatever way an address writes it.
  const signature = hmacSha256(key, `GET\n${expires}\n/v1/AUTH_${projectId}/${container}/${object}`)
  return `${pathOf(projectId, container, object)}?temp_url_sig=${signature}&temp_url_expires=${expires}`
}
