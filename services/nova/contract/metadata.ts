/**
 * The metadata service, as Neutron's agents ask it: `GET <METADATA_PATH>/<path the guest asked>` below the mount `/compute`, with the
 * headers below. The caller proves itself by the HMAC of the shared secret (`metadata_proxy_shared_secret` of both houses), or by a token
 * with the role `service` or `admin`. What the guest itself sent in these headers must have been dropped before.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** `/metadata/openstack/latest/meta_data.json`, `/metadata/latest/meta-data/` … */
export const METADATA_PATH = '/metadata'

/** `server_id` and `project_id` are those of the port that asked, `remote_address` is the guest's fixed address. */
export function metadataHeaders(who: { server_id: string; project_id: string; remote_address: string }, secret: string): Record<string, string> {
  return {
    'x-instance-id': who.server_id,
    'x-tenant-id': who.project_id,
    'x-forwarded-for': who.remote_address,
    'x-instance-id-signature': signature(who.server_id, secret),
  }
}

/** In constant time; an empty secret never holds. */
export function signatureHolds(serverId: string, given: string, secret: string): boolean {
  if (secret === '') return false
  const wanted = Buffer.from(signature(serverId, secret))
  const sent = Buffer.from(given)
  return wanted.length === sent.length && timingSafeEqual(wanted, sent)
}

function signature(serverId: string, secret: string): string {
  return createHmac('sha256', secret).update(serverId).digest('hex')
}
