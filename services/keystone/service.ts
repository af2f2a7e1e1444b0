/** Keystone's door plate: who it is in the catalog, and every operation that it has. */
import type { Route } from '#stack/route.ts'
import type { ServicePlate } from '#stack/service.ts'
import { scopeRoutes } from './api/auth/scopes.ts'
import { tokenRoutes } from './api/auth/tokens.ts'
import { catalogRoutes } from './api/catalog.ts'
import { domainRoutes } from './api/domains.ts'
import { grantRoutes } from './api/grants.ts'
import { groupRoutes } from './api/groups.ts'
import { homeDocument } from './api/home.ts'
import type { Keystone } from './api/house.ts'
import { projectRoutes } from './api/projects.ts'
import { roleAssignmentRoutes } from './api/role-assignments.ts'
import { roleRoutes } from './api/roles.ts'
import { tagRoutes } from './api/tags.ts'
import { userRoutes } from './api/users.ts'
import { versionRoutes } from './api/versions.ts'
import { dialect } from './service-dialect.ts'
import { initial } from './store/migrations/0001-initial.ts'

export const plate: ServicePlate = {
  name: 'keystone',
  type: 'identity',
  mount: '/identity',
  catalogPath: '',
  dialect,
  migrations: { house: 'keystone', migrations: [initial] },
}

export function routesOf(house: Keystone): Route[] {
  const routes: Route[] = [
    ...versionRoutes((rq) => homeDocument(routes, rq)),
    ...tokenRoutes(house),
    ...scopeRoutes(house),
    ...domainRoutes(house),
    ...projectRoutes(house),
    ...tagRoutes(house),
    ...userRoutes(house),
    ...groupRoutes(house),
    ...roleRoutes(house),
    ...grantRoutes(house),
    ...roleAssignmentRoutes(house),
    ...catalogRoutes(house),
  ]
  return routes
}
