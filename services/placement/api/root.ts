/** The version document, for anyone. */
import type { Reply, Rq } from '#stack/route.ts'
import { formatVersion } from '#stack/version.ts'
import type { Placement } from '../house.ts'
import { freshness } from './freshness.ts'

export const MIN_VERSION = 1000
export const MAX_VERSION = 1039

export const showVersions = (house: Placement) => (rq: Rq): Reply => {
  const version = { id: `v${formatVersion(MIN_VERSION)}`, max_version: formatVersion(MAX_VERSION), min_version: formatVersion(MIN_VERSION), status: 'CURRENT', links: [{ rel: 'self', href: '' }] }
  return { json: { versions: [version] }, headers: freshness(house, rq) }
}
