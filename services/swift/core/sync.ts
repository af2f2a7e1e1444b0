/** Container sync as Swift speaks it: realms that clouds share, where a container goes, and the signature of each request. */
import { createHmac } from 'node:crypto'
import { invalid } from '#base/fault.ts'

export interface Realm { name: string; key: string; key2?: string; clusters?: { name: string; url: string }[] }
export interface SyncConfig { realms: Realm[]; current: string; interval_seconds: number }

export interface Destination { realm: Realm; /** Scheme, host and port. */ origin: string; /** Down to the container, as it is signed. */ path: string }

export const realmNamed = (realms: readonly Realm[], name: string): Realm | undefined => realms.find((one) => one.name.toUpperCase() === name.toUpperCase())

/** Of `//realm/cluster/account/container`. Throws `invalid`. */
export function destinationOf(realms: readonly Realm[], value: string): Destination {
  const wrong = (why: string): never => {
    throw invalid(why, { field: 'X-Container-Sync-To' })
  }
  const text = value.replace(/\/+$/, '')
  if (!text.startsWith('//')) return wrong('Full URLs are not allowed for X-Container-Sync-To values. Only realm values of the format //realm/cluster/account/container are allowed.\n')
  const parts = text.slice(2).split('/')
  if (parts.length !== 4 || parts.some((one) => one === '')) return wrong(`Invalid X-Container-Sync-To format ${JSON.stringify(value)}`)
  const [name, cluster, account, container] = parts as [string, string, string, string]
  const realm = realmNamed(realms, name)
  if (!realm) return wrong(`No realm key for ${JSON.stringify(name)}`)
  const endpoint = realm.clusters?.find((one) => one.name.toUpperCase() === cluster.toUpperCase())
  if (!endpoint) return wrong(`No cluster endpoint for ${JSON.stringify(name)} ${JSON.stringify(cluster)}`)
  const url = new URL(endpoint.url)
  return { realm, origin: url.origin, path: `${url.pathname.replace(/\/+$/, '')}/${account}/${container}` }
}

/** HMAC-SHA1 as hex. `timestamp` is the header as it is sent, or `0`. */
export function syncSignature(method: string, path: string, timestamp: string, nonce: string, realmKey: string, userKey: string): string {
  return createHmac('sha1', realmKey).update(`${method}\n${path}\n${timestamp}\n${nonce}\n${userKey}`).digest('hex')
}

/** Throws `invalid` naming the key of the configuration that is wrong. */
export function checkRealms({ realms, current }: SyncConfig): void {
  const wrong = (key: string, why: string): never => {
    throw invalid(`swift.container_sync.${key} ${why}`, { field: `swift.container_sync.${key}` })
  }
  for (const [i, realm] of realms.entries()) {
    if (typeof realm.name !== 'string' || !/^[\w-]+$/.test(realm.name)) wrong(`realms[${i}].name`, 'must be a word')
    if (typeof realm.key !== 'string' || realm.key === '') wrong(`realms[${i}].key`, 'is not given')
    for (const [j, cluster] of (realm.clusters ?? []).entries()) if (typeof cluster.name !== 'string' || !URL.canParse(cluster.url)) wrong(`realms[${i}].clusters[${j}].url`, 'is no URL')
  }
  const [, name = '', cluster = ''] = /^\/\/([^/]+)\/([^/]+)$/.exec(current) ?? []
  if (current !== '' && !realmNamed(realms, name)?.clusters?.some((one) => one.name.toUpperCase() === cluster.toUpperCase())) wrong('current', 'must be //realm/cluster, of those that are named')
}

/** As `/info` shows them. */
export function realmsShown({ realms, current }: SyncConfig): Record<string, unknown> {
  return Object.fromEntries(
    realms.filter((one) => (one.clusters ?? []).length > 0).map((realm) => [realm.name.toUpperCase(), { clusters: Object.fromEntries(realm.clusters!.map(({ name }) => [name.toUpperCase(), `//${realm.name}/${name}`.toUpperCase() === current.toUpperCase() ? { current: true } : {}])) }]),
  )
}
