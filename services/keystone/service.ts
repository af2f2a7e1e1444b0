/** Keystone's door plate: who it is in the catalog, and every operation that it has. */
import type { Route } from '#stack/route.ts'
import type { ServicePlate } from '#stack/service.ts'
import { federatedLoginRoutes } from './api/auth/federated-login.ts'
import { keystoneToKeystoneRoutes } from './api/auth/keystone-to-keystone.ts'
import { scopeRoutes } from './api/auth/scopes.ts'
import { tokenRoutes } from './api/auth/tokens.ts'
import { webssoRoutes } from './api/auth/websso.ts'
import { applicationCredentialRoutes } from './api/application-credentials.ts'
import { catalogRoutes } from './api/catalog.ts'
import { credentialRoutes } from './api/credentials.ts'
import { domainConfigRoutes } from './api/domain-config.ts'
import { domainRoutes } from './api/domains.ts'
import { ec2Routes } from './api/ec2.ts'
import { endpointFilterRoutes } from './api/endpoint-filter.ts'
import { federationRoutes } from './api/federation.ts'
import { grantRoutes } from './api/grants.ts'
import { groupRoutes } from './api/groups.ts'
import { homeDocument } from './api/home.ts'
import type { Keystone } from './api/house.ts'
import { limitRoutes } from './api/limits.ts'
import { oauth1Routes } from './api/oauth1.ts'
import { oauth2Routes } from './api/oauth2.ts'
import { policyRoutes } from './api/policies.ts'
import { projectRoutes } from './api/projects.ts'
import { revocationRoutes } from './api/revocations.ts'
import { roleAssignmentRoutes } from './api/role-assignments.ts'
import { roleRoutes } from './api/roles.ts'
import { tagRoutes } from './api/tags.ts'
import { trustRoutes } from './api/trusts.ts'
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
    ...credentialRoutes(house),
    ...ec2Routes(house),
    ...trustRoutes(house),
    ...applicationCredentialRoutes(house),
    ...limitRoutes(house),
    ...policyRoutes(house),
    ...endpointFilterRoutes(house),
    ...domainConfigRoutes(house),
    ...revocationRoutes(house),
    ...oauth1Routes(house),
    ...oauth2Routes(house),
    ...federationRoutes(house),
    ...federatedLoginRoutes(house),
    ...webssoRoutes(house),
    ...keystoneToKeystoneRoutes(house),
  ]
  return routes
}
