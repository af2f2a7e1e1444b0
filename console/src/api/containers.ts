/** Containers: the list, one of them, and what is done to them. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { ask, metadataIn, storeKey } from './object-store.ts'

export const PAGE_SIZE = 50

/** `find` is how names begin; `marker` is the last name of the page before. */
export interface ContainersSearch {
  find?: string
  marker?: string
}

export interface Container {
  name: string
  count: number
  bytes: number
  last_modified: string
}

export const containersQuery = (projectId: string, { find, marker }: ContainersSearch, limit = PAGE_SIZE) =>
  queryOptions({
    queryKey: [...storeKey(projectId), 'containers', { find, marker, limit }],
    queryFn: async ({ signal }): Promise<{ containers: Container[]; next: string | undefined }> => {
      const response = await ask(projectId, 'GET', { query: { format: 'json', limit: limit + 1, prefix: find, marker }, signal })
      // An account in which nothing was ever made answers 204.
      const found = response.status === 204 ? [] : ((await response.json()) as Container[])
      const containers = found.slice(0, limit)
      return { containers, next: found.length > limit ? containers.at(-1)?.name : undefined }
    },
    placeholderData: keepPreviousData,
  })

/** The marker of the page before the one that begins with `first`; none: that is the first page. */
export async function markerBefore(projectId: string, find: string | undefined, first: string): Promise<string | undefined> {
  const response = await ask(projectId, 'GET', { query: { format: 'json', limit: PAGE_SIZE + 1, prefix: find, marker: first, reverse: 'true' } })
  return ((await response.json()) as Container[])[PAGE_SIZE]?.name
}

export interface ContainerFacts {
  count: number
  bytes: number
  policy: string
  /** ACLs in Swift's words. */
  read: string
  write: string
  /** What signs temporary URLs; only owners see it. */
  key: string | undefined
  /** Bytes and objects; undefined: as much as the project may. */
  quota: { bytes: number | undefined; count: number | undefined }
  /** What is replaced or deleted is kept; `suspended`: it was until lately, and that is still there; `elsewhere`: in another container, as Swift did it before. */
  versions: 'on' | 'suspended' | 'off' | 'elsewhere'
  metadata: Record<string, string>
  /** How far the clock of the cloud is before that of this browser, in milliseconds. */
  ahead: number
}

export const containerQuery = (projectId: string, container: string) =>
  queryOptions({
    queryKey: [...storeKey(projectId), 'container', container],
    queryFn: ({ signal }) => containerFacts(projectId, container, signal),
    staleTime: 10_000,
  })

export async function containerFacts(projectId: string, container: string, signal: AbortSignal): Promise<ContainerFacts> {
  const { headers } = await ask(projectId, 'HEAD', { container, signal })
  const { 'temp-url-key': key, 'temp-url-key-2': second, ...metadata } = metadataIn(headers, 'x-container-meta-')
  const now = Date.parse(headers.get('date') ?? '')
  return {
    count: Number(headers.get('x-container-object-count')),
    bytes: Number(headers.get('x-container-bytes-used')),
    policy: headers.get('x-storage-policy') ?? '',
    read: headers.get('x-container-read') ?? '',
    write: headers.get('x-container-write') ?? '',
    key: key || second || undefined,
    quota: { bytes: numberIn(headers, 'x-container-meta-quota-bytes'), count: numberIn(headers, 'x-container-meta-quota-count') },
    versions: versionsIn(headers),
    metadata,
    ahead: Number.isNaN(now) ? 0 : now - Date.now(),
  }
}

export async function makeContainer(projectId: string, container: string, { policy, everyone }: { policy?: string; everyone?: boolean } = {}): Promise<void> {
  const headers = { ...(policy ? { 'x-storage-policy': policy } : {}), ...(everyone ? { 'x-container-read': '.r:*,.rlistings' } : {}) }
  await ask(projectId, 'PUT', { container, headers })
}

export async function removeContainer(projectId: string, container: string): Promise<void> {
  await ask(projectId, 'DELETE', { container })
}

export async function setAccess(projectId: string, container: string, { read, write }: { read: string; write: string }): Promise<void> {
  await ask(projectId, 'POST', { container, headers: { 'x-container-read': read, 'x-container-write': write } })
}

export interface ContainerChange {
  quota: { bytes: number | undefined; count: number | undefined }
  /** Undefined: as it is. */
  versions: boolean | undefined
}

export async function changeContainer(projectId: string, container: string, { quota, versions }: ContainerChange): Promise<void> {
  const headers = { 'x-container-meta-quota-bytes': String(quota.bytes ?? ''), 'x-container-meta-quota-count': String(quota.count ?? ''), ...(versions === undefined ? {} : { 'x-versions-enabled': String(versions) }) }
  await ask(projectId, 'POST', { container, headers })
}

/** What a project has in the store. */
export interface Usage {
  containers: number
  objects: number
  bytes: number
  quota: number | undefined
}

export const usageQuery = (projectId: string) =>
  queryOptions({
    queryKey: [...storeKey(projectId), 'usage'],
    queryFn: async ({ signal }): Promise<Usage> => {
      const { headers } = await ask(projectId, 'HEAD', { signal })
      const of = (name: string): number => numberIn(headers, name) ?? 0
      return { containers: of('x-account-container-count'), objects: of('x-account-object-count'), bytes: of('x-account-bytes-used'), quota: numberIn(headers, 'x-account-quota-bytes') ?? numberIn(headers, 'x-account-meta-quota-bytes') }
    },
  })

function versionsIn(headers: Headers): ContainerFacts['versions'] {
  const enabled = headers.get('x-versions-enabled')
  if (enabled !== null) return enabled.toLowerCase() === 'true' ? 'on' : 'suspended'
  return headers.has('x-versions-location') || headers.has('x-history-location') ? 'elsewhere' : 'off'
}

function numberIn(headers: Headers, name: string): number | undefined {
  const value = headers.get(name)
  return value === null || value === '' || Number.isNaN(Number(value)) ? undefined : Number(value)
}

/** A new key for temporary URLs; those that another key signed are valid no more. */
export async function setKey(projectId: string, container: string): Promise<string> {
  const key = Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, '0')).join('')
  await ask(projectId, 'POST', { container, headers: { 'x-container-meta-temp-url-key': key, 'x-remove-container-meta-temp-url-key-2': 'x' } })
  return key
}
