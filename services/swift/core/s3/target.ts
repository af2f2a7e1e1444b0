/** Which bucket and key a request means: in the path, or the bucket in the name of the host. */
import { s3Fault } from './errors.ts'

export interface Target {
  /** Absent: the list of buckets. */
  bucket?: string
  /** Absent: the bucket itself. */
  key?: string
  /** The bucket stood in the host's name. */
  hostBucket?: string
}

/** A key has at most this many bytes. */
export const KEY_BYTES = 1024

/** `path` is percent-encoded, without the door's own prefix; `domains` are names below which each name is a bucket. */
export function targetOf(path: string, host: string | undefined, domains: readonly string[]): Target {
  const hostBucket = bucketOfHost(host ?? '', domains)
  const rest = path.replace(/^\//, '')
  const slash = rest.indexOf('/')
  const [first, key] = hostBucket !== undefined ? [hostBucket, rest] : slash < 0 ? [decoded(rest), ''] : [decoded(rest.slice(0, slash)), rest.slice(slash + 1)]
  if (first === '') return {}
  return { bucket: first, ...(hostBucket === undefined ? {} : { hostBucket }), ...(key === '' ? {} : { key: keyOf(decoded(key)) }) }
}

/** The bucket that stands before one of these domains. */
export function bucketOfHost(host: string, domains: readonly string[]): string | undefined {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  const domain = domains.find((each) => name.endsWith(`.${each}`))
  return domain === undefined ? undefined : name.slice(0, -domain.length - 1)
}

function keyOf(key: string): string {
  if (Buffer.byteLength(key) > KEY_BYTES) throw s3Fault('KeyTooLongError', undefined, { MaxSizeAllowed: String(KEY_BYTES) })
  return key
}

function decoded(text: string): string {
  let out: string
  try {
    out = decodeURIComponent(text)
  } catch {
    throw s3Fault('InvalidURI')
  }
  if (out.includes('\0')) throw s3Fault('InvalidURI', 'Names of buckets and keys hold no NUL.')
  return out
}

/** Amazon's rules for names that fit into a host's name. */
export function assertBucketName(name: string): void {
  const good = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !/\.\.|\.-|-\./.test(name) && !/^\d+\.\d+\.\d+\.\d+$/.test(name) && !/^xn--|^sthree-|-s3alias$|--ol-s3$/.test(name)
  if (!good) throw s3Fault('InvalidBucketName', undefined, { BucketName: name.slice(0, 255) })
}

export const SUB_RESOURCES = [
  'abac', 'accelerate', 'acl', 'analytics', 'annotation', 'append', 'attributes', 'cors', 'delete', 'encryption', 'intelligent-tiering', 'inventory', 'legal-hold', 'lifecycle', 'location', 'logging', 'metadataConfiguration', 'metadataInventoryTable', 'metadataJournalTable', 'metadataTable', 'metrics', 'notification', 'object-lock', 'ownershipControls', 'policy', 'policyStatus',
  'publicAccessBlock', 'renameObject', 'replication', 'requestPayment', 'restore', 'retention', 'select', 'session', 'tagging', 'torrent', 'uploadId', 'uploads', 'versioning', 'versions', 'website',
] as const
export type SubResource = (typeof SUB_RESOURCES)[number]

/** What of the bucket or object the query names; undefined: itself. */
export const subResource = (query: URLSearchParams): SubResource | undefined => SUB_RESOURCES.find((name) => query.has(name))
