/** Logins by an identity provider: the browser goes there by way of Keystone, and comes back to `/console/websso` with a token in the page. */
import { BASE } from '../paths.ts'
import type { SignOnProvider } from './settings.ts'

/** That this tab has gone to a provider, and where its user wanted to. */
const KEY = 'ondol.sign-on'

export function leaveFor({ idp_id, protocol_id }: SignOnProvider, next: string | undefined, publicUrl: string): void {
  // By another of its names (localhost, an address) nobody would come back here: first to where the cloud says that it is.
  if (publicUrl !== location.origin) return location.assign(`${publicUrl}${BASE}/login${next === undefined ? '' : `?next=${encodeURIComponent(next)}`}`)
  sessionStorage.setItem(KEY, next ?? '')
  const origin = encodeURIComponent(`${location.origin}${BASE}/websso`)
  location.assign(`/identity/v3/auth/OS-FEDERATION/identity_providers/${encodeURIComponent(idp_id)}/protocols/${encodeURIComponent(protocol_id)}/websso?origin=${origin}`)
}

export interface Arrival {
  token: string
  next: string
}

/** What this page was given when it was loaded; once. A token that this tab did not go out for is somebody else's doing, and is dropped. */
export function takeArrival(): Arrival | undefined {
  const mark = document.querySelector<HTMLMetaElement>('meta[name="ondol-token"]')
  const next = sessionStorage.getItem(KEY)
  mark?.remove()
  if (!mark || next === null) return undefined
  sessionStorage.removeItem(KEY)
  return { token: mark.content, next }
}
