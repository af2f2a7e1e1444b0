/** The door plate of Neutron: what it is in the catalog, how it speaks, and every operation it has. */
import type { Route } from '#stack/route.ts'
import type { ServicePlate } from '#stack/service.ts'
import { aboutRoutes } from './api/about.ts'
import { administrationRoutes } from './api/administration.ts'
import { agentRoutes } from './api/agents.ts'
import { availabilityRoutes } from './api/availability.ts'
import { bindingRoutes } from './api/bindings.ts'
import { dialect } from './api/dialect.ts'
import { floatingDesk, floatingIpRoutes } from './api/floatingips.ts'
import { forwardingRoutes } from './api/forwarding.ts'
import { localIpRoutes } from './api/local-ips.ts'
import { networkDesk, networkRoutes } from './api/networks.ts'
import { addressGroupRoutes, addressScopeRoutes, poolDesk, subnetpoolRoutes } from './api/pools.ts'
import { portDesk, portRoutes } from './api/ports.ts'
import { qosDesk, qosRoutes } from './api/qos.ts'
import { quotaRoutes } from './api/quotas.ts'
import { rbacRoutes } from './api/rbac.ts'
import { routerDesk, routerRoutes } from './api/routers.ts'
import { groupDesk, securityGroupRoutes } from './api/security-groups.ts'
import { rangeDesk, segmentDesk, segmentRoutes } from './api/segments.ts'
import { subnetDesk, subnetRoutes } from './api/subnets.ts'
import { tagRoutes } from './api/tags.ts'
import { topologyRoutes } from './api/topology.ts'
import { trunkDesk, trunkRoutes } from './api/trunks.ts'
import { unoffered } from './api/unoffered.ts'
import { offers } from './core/extensions.ts'
import type { Neutron } from './house.ts'
import { migrations } from './store/tables.ts'

export const plate: ServicePlate = { name: 'neutron', type: 'network', mount: '/networking', catalogPath: '', dialect, migrations }

export const routesOf = (house: Neutron): Route[] => all(house).filter((one) => offers(house.inert).path(one.path))

const all = (house: Neutron): Route[] => [
  ...aboutRoutes(house),
  ...networkRoutes(house),
  ...subnetRoutes(house),
  ...portRoutes(house),
  ...routerRoutes(house),
  ...floatingIpRoutes(house),
  ...securityGroupRoutes(house),
  ...subnetpoolRoutes(house),
  ...addressScopeRoutes(house),
  ...addressGroupRoutes(house),
  ...rbacRoutes(house),
  ...quotaRoutes(house),
  ...agentRoutes(house),
  ...qosRoutes(house),
  ...trunkRoutes(house),
  ...segmentRoutes(house),
  ...bindingRoutes(house),
  ...forwardingRoutes(house),
  ...localIpRoutes(house),
  ...availabilityRoutes(house),
  ...topologyRoutes(house),
  ...administrationRoutes(house),
  ...unoffered,
  ...[networkDesk, subnetDesk, portDesk, routerDesk, floatingDesk, groupDesk, poolDesk, trunkDesk, rangeDesk].flatMap((desk) => tagRoutes(house, desk)),
  ...tagRoutes(house, segmentDesk, { rule: (verb) => `${verb}_segments_tags` }),
  ...tagRoutes(house, qosDesk, { path: '/v2.0/policies' }),
]
