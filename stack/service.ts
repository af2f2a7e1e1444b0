/** A house's door plate: what it is in the catalog, how it speaks, every operation it has, and what it keeps. */
import type { HouseMigrations } from '#base/sql/table.ts'
import type { Dialect } from './dialect.ts'
import type { Route } from './route.ts'

export interface ServicePlate {
  /** `nova`. */
  name: string
  /** Catalog type: `compute`. */
  type: string
  /** Further catalog entries with the same URL, for clients that know the service by an older type. */
  aliases?: readonly { name: string; type: string }[]
  /** Path under the front door: `/compute`. */
  mount: string
  /** What the catalog's URL adds to the mount, e.g. `/v2.1`; `{project_id}` is filled from the token. */
  catalogPath: string
  /** First parts of the front door's own paths that lead here too, whole: clients of some services look for them at the root. */
  rootPaths?: readonly string[]
  /** The catalog names the root instead of the mount; `catalogPath` is then below one of `rootPaths`. */
  catalogAtRoot?: boolean
  /** Roles beside Keystone's own that this service's rules name. */
  roles?: readonly string[]
  dialect: Dialect
  migrations: HouseMigrations
}

export interface RouteLine {
  service: string
  method: string
  path: string
  action?: string
}

/** For `ondol routes --json`. */
export function routeLines(service: string, routes: readonly Route[]): RouteLine[] {
  return routes.map(({ method, path, action }) => ({ service, method, path, ...(action === undefined ? {} : { action }) }))
}
