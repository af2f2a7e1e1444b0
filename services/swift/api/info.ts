/** `/info`: what this store can do, in Swift's words. */
import type { Swift } from '../house.ts'

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
    cors: {},
    ...(config.cross_domain_policy === '' ? {} : { crossdomain: {} }),
    dlo: { max_segments: 10_000 },
    etag_quoter: { enable_by_default: config.quote_etags },
    formpost: { allowed_digests: config.tempurl.digests },
    ...(config.tempauth_users.length > 0 ? { tempauth: { account_acls: true } } : { keystoneauth: {} }),
    object_versioning: {},
    ratelimit: { account_ratelimit: config.ratelimit.account_ratelimit, max_sleep_time_seconds: config.ratelimit.max_sleep_seconds, container_ratelimits: config.ratelimit.container_ratelimits.map((one) => [one.size, one.rate]), container_listing_ratelimits: [] },
    slo: { max_manifest_segments: config.slo.max_manifest_segments, max_manifest_size: config.slo.max_manifest_size, yield_frequency: 10, min_segment_size: 1, allow_async_delete: true },
    staticweb: {},
    symlink: { symloop_max: 2, static_links: true },
    tempurl: { methods: config.tempurl.methods, incoming_remove_headers: ['x-timestamp'], incoming_allow_headers: [], outgoing_remove_headers: ['x-object-meta-*'], outgoing_allow_headers: ['x-object-meta-public-*'], allowed_digests: config.tempurl.digests },
    versioned_writes: { allowed_flags: ['x-versions-location', 'x-history-location'] },
  }
}
