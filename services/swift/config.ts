/** What `ondol.yaml` may say under `swift`. */
import type { ConfigSchema } from '#base/config.ts'
import { type Limits, limits } from './core/limits.ts'
import type { DriverKind, PolicyConfig, S3Place } from './core/policies.ts'
import type { Digest } from './core/signature.ts'
import type { SyncConfig } from './core/sync.ts'

export interface SwiftConfig {
  durability: 'safe' | 'fast'
  driver: DriverKind
  s3: S3Place
  max_file_size: number
  limits: Limits
  policies: PolicyConfig[]
  reseller_prefix: string
  operator_roles: string[]
  reader_roles: string[]
  reseller_admin_role: string
  tempauth_users: { user: string; key: string; groups: string[] }[]
  tempurl: { methods: string[]; digests: Digest[] }
  slo: { max_manifest_segments: number; max_manifest_size: number }
  bulk: { max_containers_per_extraction: number; max_failed_extractions: number; max_deletes_per_request: number; max_failed_deletes: number }
  ratelimit: { account_ratelimit: number; container_ratelimits: { size: number; rate: number }[]; max_sleep_seconds: number; account_denylist: string[] }
  cors_allow_origin: string[]
  quote_etags: boolean
  s3_region: string
  s3_region_aliases: string[]
  s3_domains: string[]
  s3_website_domains: string[]
  s3_customer_keys_require_tls: boolean
  read_only: boolean
  name_check: { enabled: boolean; forbidden_chars: string; maximum_length: number; forbidden_regexp: string }
  storage_domain: string
  sandbox_pages: boolean
  cname_lookup_depth: number
  container_sync: SyncConfig
  admin_key: string
  expose_info: boolean
  disallowed_sections: string[]
  cross_domain_policy: string
  encryption: { enabled: boolean }
  audit_files_per_second: number
  reap_after_seconds: number
}

const list = (description: string, value: unknown[], items: object = { type: 'string' }): { type: 'array'; items: object; default: unknown[]; description: string } => ({ type: 'array', items, default: value, description })
const whole = (value: number, description: string): { type: 'integer'; default: number; description: string } => ({ type: 'integer', default: value, description })
const text = (value: string, description: string): { type: 'string'; default: string; description: string } => ({ type: 'string', default: value, description })
const yes = (value: boolean, description: string): { type: 'boolean'; default: boolean; description: string } => ({ type: 'boolean', default: value, description })

export const swiftConfig: ConfigSchema = {
  type: 'object',
  properties: {
    durability: { type: 'string', enum: ['safe', 'fast'], default: 'safe', description: 'safe: every object is synced to the disk before it is acknowledged; fast: left to the system.' },
    driver: { type: 'string', enum: ['files', 's3', 'memory'], default: 'files', description: 'Where the bytes lie: files in the data folder, a bucket of an S3 store, or nowhere beyond this process.' },
    s3: {
      type: 'object',
      description: 'The store behind the driver s3.',
      properties: { url: text('', 'Its URL, e.g. http://192.0.2.20:7480.'), bucket: text('ondol-objects', 'Bucket of all bytes; made when it is not there.'), region: text('us-east-1', 'Region that signatures name.'), access_key: text('', 'Access key.'), secret_key: text('', 'Secret key.'), storage_class: text('', 'Storage class of what is written, e.g. an erasure-coded pool of Ceph; empty: the standard one of the bucket.'), placement: text('', 'Placement target in which the bucket is made; empty: the standard one.') },
    },
    max_file_size: whole(limits.max_file_size, 'Most bytes of one object.'),
    limits: { type: 'object', description: "Limits of names, metadata and listings, as Swift's.", properties: Object.fromEntries(Object.entries(limits).filter(([name]) => name !== 'max_file_size').map(([name, value]) => [name, whole(value, `As Swift's ${name}.`)])) },
    policies: list('Storage policies: {name, aliases?, default?, deprecated?, driver?: files|s3|memory, path?, durability?, s3?: {url, bucket, region?, access_key, secret_key, storage_class?, placement?}}. One without a driver has its bytes where `driver` says; the others have a place of their own. A name never changes.', [{ name: 'Policy-0' }], { type: 'object' }),
    reseller_prefix: text('AUTH_', 'What stands before the id of a project in the name of its account.'),
    operator_roles: list('Roles that may do everything in the account of their project.', ['admin', 'member', 'swiftoperator']),
    reader_roles: list('Roles that may read everything in the account of their project.', ['reader']),
    reseller_admin_role: text('ResellerAdmin', 'Role that may do everything in every account.'),
    tempauth_users: list('Users beside those of Keystone, for v1 auth at /auth/v1.0: {user: "account:name", key, groups: [".admin"]}. None: v1 auth is off.', [], { type: 'object', properties: { user: { type: 'string' }, key: { type: 'string' }, groups: { type: 'array', items: { type: 'string' } } }, required: ['user', 'key', 'groups'] }),
    tempurl: { type: 'object', properties: { methods: list('Methods that a temporary URL may be for.', ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']), digests: list('Digests of signatures.', ['sha1', 'sha256', 'sha512']) } },
    slo: { type: 'object', properties: { max_manifest_segments: whole(1000, 'Most segments of a manifest.'), max_manifest_size: whole(8 * 2 ** 20, 'Most bytes of a manifest.') } },
    bulk: { type: 'object', properties: { max_containers_per_extraction: whole(10_000, 'Most containers that an archive makes.'), max_failed_extractions: whole(1000, 'Failures after which an extraction stops.'), max_deletes_per_request: whole(10_000, 'Most names in a bulk delete.'), max_failed_deletes: whole(1000, 'Failures after which it stops.') } },
    ratelimit: {
      type: 'object',
      properties: { account_ratelimit: whole(0, 'Containers made and deleted per second in an account; 0: no limit.'), container_ratelimits: list('Writes per second to containers that hold at least `size` objects: {size, rate}.', [], { type: 'object', properties: { size: { type: 'integer' }, rate: { type: 'number' } }, required: ['size', 'rate'] }), max_sleep_seconds: whole(60, 'Who would wait longer gets 498.'), account_denylist: list('Accounts that get 497.', []) },
    },
    cors_allow_origin: list('Origins whose pages may read every answer.', []),
    quote_etags: yes(false, 'ETags in quotes unless account or container say otherwise.'),
    s3_region: text('us-east-1', 'Region that the S3 door calls itself.'),
    s3_region_aliases: list('Further names of region that signatures at the S3 door may have: clients of OpenStack say the region of the catalog.', ['RegionOne']),
    s3_domains: list('Names of hosts at whose root the S3 door stands, and below which each name is a bucket, e.g. s3.example.org.', []),
    s3_website_domains: list('Names below which each name is a bucket as a web site, e.g. web.example.org.', []),
    s3_customer_keys_require_tls: yes(true, 'Keys that customers bring for the encryption of their objects (SSE-C) are taken over https alone (that is: the cloud has a public URL with https), or from this machine itself.'),
    read_only: yes(false, 'Nothing may be written.'),
    name_check: {
      type: 'object',
      description: 'What names of accounts, containers and objects may hold beyond what Swift itself asks; the whole path from /v1 on is judged.',
      properties: { enabled: yes(false, 'Judge names.'), forbidden_chars: text('\'"`<>', 'Characters that no name has.'), maximum_length: whole(255, 'Most characters of the path.'), forbidden_regexp: text('/\\./|/\\.\\./|/\\.$|/\\.\\.$', 'Regular expression that no path fits; empty: none.') },
    },
    storage_domain: text('', 'Domain remap: <container>.<account>.<this domain> is the container. Empty: off.'),
    cname_lookup_depth: whole(0, 'How many CNAMEs are followed from a host name to one below storage_domain; 0: none are asked for.'),
    container_sync: {
      type: 'object',
      description: 'Copying of containers to and from other clouds.',
      properties: { realms: list('Clouds that trust each other: {name, key, key2?, clusters: [{name, url: "https://…/v1"}]}.', [], { type: 'object' }), current: text('', 'This cloud among them: //realm/cluster.'), interval_seconds: whole(30, 'How often other clouds are told what changed.') },
    },
    admin_key: text('', 'Key of signed requests for the admin sections of /info. Empty: there are none.'),
    expose_info: yes(true, 'Answer /info.'),
    disallowed_sections: list('Sections of /info that only signed requests see, e.g. tempurl or swift.policies.', []),
    sandbox_pages: yes(true, 'Pages that are objects run in a sandbox of the browser (no storage, no requests to this address in their name) where the dashboard has the same address; not at hosts of storage_domain, s3_domains and s3_website_domains. Off: only where everyone who may keep objects is trusted.'),
    cross_domain_policy: text('<allow-access-from domain="*" secure="false" />', 'Inside of /crossdomain.xml. Empty: 404.'),
    encryption: { type: 'object', properties: { enabled: yes(false, 'Encrypt new objects, each by a key of its own made from the root secret in the data folder.') } },
    audit_files_per_second: whole(20, 'How many objects a second the auditor reads again; 0: none.'),
    reap_after_seconds: whole(0, 'How long a deleted account keeps its containers.'),
  },
}
