/** `/info`: what this store can do, in Swift's words. */
import { Fault, forbidden } from '#base/fault.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { sameText, signed } from '../core/signature.ts'
import { realmsShown } from '../core/sync.ts'
import type { Swift } from '../house.ts'

/** All of it for requests that are signed with the key of the admin; else without what `swift.disallowed_sections` names. */
export function answerInfo(house: Swift, rq: Rq): Reply {
  const { expose_info, admin_key, disallowed_sections } = house.config
  if (!expose_info) throw forbidden('This store does not tell about itself.')
  const [sig, expires] = [rq.query.get('swiftinfo_sig') ?? '', rq.query.get('swiftinfo_expires') ?? '']
  if (sig === '' && expires === '') return { json: without(infoOf(house), disallowed_sections) }
  if (admin_key === '') throw forbidden('This store has no admin sections.')
  const good = /^\d{1,15}$/.test(expires) && Number(expires) * 1000 >= house.world.clock.now() && (rq.http.method === 'HEAD' ? ['HEAD', 'GET'] : ['GET']).some((method) => sameText(sig, signed(admin_key, 'sha1', `${method}\n${expires}\n/info`)))
  if (!good) throw new Fault('unauthenticated', 'The signature is not valid.')
  return { json: { ...infoOf(house), admin: { disallowed_sections } } }
}

/** `tempurl`, or a key of a section: `swift.policies`. */
function without(info: Record<string, unknown>, sections: readonly string[]): Record<string, unknown> {
  for (const path of sections) {
    const words = path.split('.')
    const last = words.pop()!
    let at: unknown = info
    for (const word of words) at = (at as Record<string, unknown> | undefined)?.[word]
    if (typeof at === 'object' && at !== null) delete (at as Record<string, unknown>)[last]
  }
  return info
}

export function infoOf({ config, policies }: Swift): Record<string, unknown> {
  return {
    swift: {
      version: '2.30.1', strict_cors_mode: true, policies: policies.filter((one) => !one.deprecated).map((one) => ({ name: one.name, aliases: [one.name, ...one.aliases].join(', '), ...(one.default ? { default: true } : {}) })),
      allow_account_management: true, account_autocreate: true, allow_open_expired: false, valid_api_versions: ['v1', 'v1.0'], ...config.limits, max_file_size: config.max_file_size,
    },
    account_quotas: {},
    bulk_delete: { max_deletes_per_request: config.bulk.max_deletes_per_request, max_failed_deletes: config.bulk.max_failed_deletes },
    bulk_upload: { max_containers_per_extraction: config.bulk.max_containers_per_extraction, max_failed_extractions: config.bulk.max_failed_extractions },
    container_quotas: {},
    ...(config.container_sync.realms.length > 0 ? { container_sync: { realms: realmsShown(config.container_sync) } } : {}),
    ...(config.storage_domain === '' ? {} : { domain_remap: { default_reseller_prefix: config.reseller_prefix } }),
    ...(config.storage_domain === '' || config.cname_lookup_depth === 0 ? {} : { cname_lookup: { lookup_depth: config.cname_lookup_depth } }),
    cors: {},
    ...(config.cross_domain_policy === '' ? {} : { crossdomain: {} }),
    dlo: { max_segments: 10_000 },
    etag_quoter: { enable_by_default: config.quote_etags },
    formpost: { allowed_digests: config.tempurl.digests },
    ...(config.tempauth_users.length > 0 ? { tempauth: { account_acls: true } } : { keystoneauth: {} }),
    ...(config.name_check.enabled ? { name_check: { forbidden_chars: config.name_check.forbidden_chars, maximum_length: config.name_check.maximum_length, forbidden_regexp: config.name_check.forbidden_regexp } } : {}),
    object_versioning: {},
    ratelimit: { account_ratelimit: config.ratelimit.account_ratelimit, max_sleep_time_seconds: config.ratelimit.max_sleep_seconds, container_ratelimits: config.ratelimit.container_ratelimits.map((one) => [one.size, one.rate]), container_listing_ratelimits: [] },
    s3api: { max_bucket_listing: 1000, max_parts_listing: 1000, max_upload_part_num: 10_000, max_multi_delete_objects: 1000, allow_multipart_uploads: true, min_segment_size: 5 * 2 ** 20, s3_acl: true },
    slo: { max_manifest_segments: config.slo.max_manifest_segments, max_manifest_size: config.slo.max_manifest_size, yield_frequency: 10, min_segment_size: 1, allow_async_delete: true },
    staticweb: {},
    symlink: { symloop_max: 2, static_links: true },
    tempurl: { methods: config.tempurl.methods, incoming_remove_headers: ['x-timestamp'], incoming_allow_headers: [], outgoing_remove_headers: ['x-object-meta-*'], outgoing_allow_headers: ['x-object-meta-public-*'], allowed_digests: config.tempurl.digests },
    versioned_writes: { allowed_flags: ['x-versions-location', 'x-history-location'] },
  }
}
