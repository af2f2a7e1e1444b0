/** Nova's door plate: what it is in the catalog, how it speaks, and every operation it has, noun by noun. */
import type { Route } from '#stack/route.ts'
import type { ServicePlate } from '#stack/service.ts'
import { networkRoutes } from './api/networks.ts'
import { floatingIpRoutes } from './api/floating-ips.ts'
import { securityGroupRoutes } from './api/security-groups.ts'
import { volumesBootRoutes } from './api/volumes-boot.ts'
import { volumeRoutes } from './api/volumes.ts'
import { imageRoutes } from './api/images.ts'
import { imageMetadataRoutes } from './api/image-metadata.ts'
import { baremetalNodeRoutes } from './api/baremetal-nodes.ts'
import { notHereRoutes } from './api/not-here.ts'
import { serverAddressRoutes } from './api/server-addresses.ts'
import { aggregateRoutes } from './api/aggregates.ts'
import { availabilityZoneRoutes } from './api/availability-zones.ts'
import { computeDialect } from './api/dialect.ts'
import { extensionRoutes } from './api/extensions.ts'
import { flavorAccessRoutes } from './api/flavor-access.ts'
import { flavorExtraSpecRoutes } from './api/flavor-extra-specs.ts'
import { flavorRoutes } from './api/flavors.ts'
import { hostRoutes } from './api/hosts.ts'
import { hypervisorRoutes } from './api/hypervisors.ts'
import { keypairRoutes } from './api/keypairs.ts'
import { limitRoutes } from './api/limits.ts'
import { quotaSetRoutes } from './api/quota-sets.ts'
import { removedRoutes } from './api/removed.ts'
import { serverActionRoutes } from './api/server-actions.ts'
import { serverCreateRoutes } from './api/server-create.ts'
import { serverGroupRoutes } from './api/server-groups.ts'
import { serverRoutes } from './api/servers.ts'
import { serviceRoutes } from './api/services.ts'
import { simpleTenantUsageRoutes } from './api/simple-tenant-usage.ts'
import { usageAuditLogRoutes } from './api/usage-audit-log.ts'
import { externalEventRoutes } from './api/external-events.ts'
import { instanceActionRoutes } from './api/instance-actions.ts'
import { interfaceRoutes } from './api/interfaces.ts'
import { metadataRoutes } from './api/metadata-service.ts'
import { migrationRoutes } from './api/migrations.ts'
import { remoteConsoleRoutes } from './api/remote-consoles.ts'
import { serverDiagnosticsRoutes } from './api/server-diagnostics.ts'
import { serverImageRoutes } from './api/server-images.ts'
import { serverIpRoutes } from './api/server-ips.ts'
import { serverMetadataRoutes } from './api/server-metadata.ts'
import { serverMoveRoutes } from './api/server-moves.ts'
import { serverPasswordRoutes } from './api/server-password.ts'
import { serverRebuildRoutes } from './api/server-rebuild.ts'
import { serverSecurityGroupRoutes } from './api/server-security-groups.ts'
import { serverShelveRoutes } from './api/server-shelve.ts'
import { serverTagRoutes } from './api/server-tags.ts'
import { serverTopologyRoutes } from './api/server-topology.ts'
import { volumeAttachmentRoutes } from './api/volume-attachments.ts'
import { versionRoutes } from './api/versions.ts'
import type { Nova } from './house.ts'
import { initial } from './store/migrations/0001-initial.ts'

export const plate: ServicePlate = {
  name: 'nova',
  type: 'compute',
  mount: '/compute',
  catalogPath: '/v2.1',
  dialect: computeDialect,
  migrations: { house: 'nova', migrations: [initial] },
}

export function routesOf(nova: Nova): Route[] {
  const routes = [
    ...versionRoutes(),
    ...serverRoutes(nova),
    ...serverCreateRoutes(nova),
    ...serverActionRoutes(nova),
    ...externalEventRoutes(nova),
    ...instanceActionRoutes(nova),
    ...interfaceRoutes(nova),
    ...metadataRoutes(nova),
    ...migrationRoutes(nova),
    ...remoteConsoleRoutes(nova),
    ...serverDiagnosticsRoutes(nova),
    ...serverImageRoutes(nova),
    ...serverIpRoutes(nova),
    ...serverMetadataRoutes(nova),
    ...serverMoveRoutes(nova),
    ...serverPasswordRoutes(nova),
    ...serverRebuildRoutes(nova),
    ...serverSecurityGroupRoutes(nova),
    ...serverShelveRoutes(nova),
    ...serverTagRoutes(nova),
    ...serverTopologyRoutes(nova),
    ...volumeAttachmentRoutes(nova),
    ...flavorRoutes(nova),
    ...flavorAccessRoutes(nova),
    ...flavorExtraSpecRoutes(nova),
    ...keypairRoutes(nova),
    ...aggregateRoutes(nova),
    ...availabilityZoneRoutes(nova),
    ...extensionRoutes(),
    ...hostRoutes(nova),
    ...hypervisorRoutes(nova),
    ...limitRoutes(nova),
    ...quotaSetRoutes(nova),
    ...removedRoutes(),
    ...networkRoutes(nova),
    ...floatingIpRoutes(nova),
    ...securityGroupRoutes(nova),
    ...volumeRoutes(nova),
    ...imageRoutes(nova),
    ...imageMetadataRoutes(nova),
    ...baremetalNodeRoutes(nova),
    ...notHereRoutes(nova),
    ...serverAddressRoutes(nova),
    ...serverGroupRoutes(nova),
    ...serviceRoutes(nova),
    ...simpleTenantUsageRoutes(nova),
    ...usageAuditLogRoutes(nova),
  ]
  return [...routes, ...volumesBootRoutes(routes)]
}
