/**
 * Storage classes: STANDARD is the bucket's own storage policy; every other policy that has a place of its own is a class by its first alias, or its
 * name, in capitals and with underscores for dashes. Nothing is kept of it: the class of an object is where its bytes lie, whoever moved them.
 */
import { className, policyOfClassName, poolOf } from '../../core/policies.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import type { Swift } from '../../house.ts'
import { accountOf } from '../../store/accounts.ts'
import { placesOf } from '../../store/listings.ts'
import type { ContainerRow, Stored } from '../../store/tables.ts'
import { metadataOf } from '../ask.ts'
import { bucketRow, type S3Request } from './request.ts'

export const STANDARD = 'STANDARD'
/** Of an upload in parts: the policy in whose place its bytes lie. */
export const CLASS = 'x-object-sysmeta-s3-class'

/** The policy in whose place bytes of this class lie; undefined: the bucket's own. */
export async function policyOfClass(at: S3Request, name: string | undefined): Promise<string | undefined> {
  if (name === undefined || name === STANDARD) return undefined
  const { house } = at
  const found = policyOfClassName(house.policies, name)
  if (!found) throw s3Fault('InvalidStorageClass', undefined, { StorageClassRequested: name.slice(0, 60) })
  if (found.name === bucketRow(at).policy) return undefined
  const limits = metadataOf(await accountOf(house.db, at.account))
  // A policy's quota counts the containers that have it: bytes that come in another's would be seen by none.
  for (const kind of ['bytes', 'count']) if (limits[`x-account-sysmeta-quota-${kind}-policy-${found.name.toLowerCase()}`]) throw s3Fault('InvalidStorageClass', 'There is a quota for this class: it is had by a bucket of its storage policy alone.')
  return found.name
}

function classOfPool({ policies }: Swift, { policy }: ContainerRow, pool: string): string {
  if (policies.find((one) => one.name === policy)?.pool === pool) return STANDARD
  const there = policies.find((one) => one.pool === pool && pool !== '')
  return there ? className(there) : STANDARD
}

export const classOfPolicy = ({ policies }: Swift, policy: string | undefined): string => (policy === undefined ? STANDARD : className(policies.find((one) => one.name === policy)!))

export function classOf(at: S3Request, row: Pick<Stored, 'bytes_id' | 'parts'>): string {
  const id = row.bytes_id !== '' || row.parts === null ? row.bytes_id : (/"bytes_id":"([^"]+)"/.exec(row.parts)?.[1] ?? '')
  return id === '' ? STANDARD : classOfPool(at.house, bucketRow(at), poolOf(id))
}

/** As a header; what is STANDARD goes without saying. */
export function classHeader(at: S3Request, row: Pick<Stored, 'bytes_id' | 'parts'>): Record<string, string> {
  const name = classOf(at, row)
  return name === STANDARD ? {} : { 'x-amz-storage-class': name }
}

/** The classes of what a page lists. */
export async function classesOf(at: S3Request, rows: readonly { name: string; version_id?: string | null }[], versions = false): Promise<(row: { name: string; version_id?: string | null }) => string> {
  if (rows.length === 0 || at.house.policies.every(({ pool }) => pool === '')) return () => STANDARD
  const places = await placesOf(at.house.db, bucketRow(at).id, [...new Set(rows.map(({ name }) => name))], versions)
  return ({ name, version_id }) => {
    const id = places.get(`${name}\0${version_id ?? ''}`)
    return id === undefined ? STANDARD : classOfPool(at.house, bucketRow(at), poolOf(id))
  }
}
