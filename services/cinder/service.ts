/** The door plate of Cinder: what it is in the catalog, how it speaks, and every operation it has. */
import type { Route } from '#stack/route.ts'
import type { ServicePlate } from '#stack/service.ts'
import { attachmentRoutes } from './api/attachments.ts'
import { backupRoutes } from './api/backups.ts'
import { consistencyGroupRoutes } from './api/consistency-groups.ts'
import { defaultTypeRoutes } from './api/default-types.ts'
import { dialect } from './api/dialect.ts'
import { factsRoutes } from './api/facts-about.ts'
import { groupRoutes } from './api/groups.ts'
import { groupTypeRoutes } from './api/group-types.ts'
import { legacyAttachRoutes } from './api/legacy-attach.ts'
import { manageableRoutes } from './api/manageable.ts'
import { messageRoutes } from './api/messages.ts'
import { qosRoutes } from './api/qos.ts'
import { quotaRoutes } from './api/quotas.ts'
import { scoped } from './api/scoped.ts'
import { serviceRoutes } from './api/services.ts'
import { snapshotRoutes } from './api/snapshots.ts'
import { transferRoutes } from './api/transfers.ts'
import { typeSpecRoutes } from './api/type-specs.ts'
import { typeRoutes } from './api/types.ts'
import { versionRoutes } from './api/versions.ts'
import { volumeActionRoutes } from './api/volume-actions.ts'
import { volumeCreateRoutes } from './api/volume-create.ts'
import { metadataRoutes } from './api/volume-metadata.ts'
import { volumeRoutes } from './api/volumes.ts'
import type { Cinder } from './house.ts'
import { initial } from './store/migrations/0001-initial.ts'

export const plate: ServicePlate = {
  name: 'cinder',
  type: 'block-storage',
  aliases: [{ name: 'cinderv3', type: 'volumev3' }],
  mount: '/volume',
  catalogPath: '/v3/{project_id}',
  dialect,
  migrations: { house: 'cinder', migrations: [initial] },
}

export const routesOf = (house: Cinder): Route[] => [
  ...versionRoutes,
  ...scoped([
    ...volumeRoutes(house),
    ...volumeCreateRoutes(house),
    ...volumeActionRoutes(house),
    ...legacyAttachRoutes(house),
    ...metadataRoutes(house),
    ...snapshotRoutes(house),
    ...attachmentRoutes(house),
    ...typeRoutes(house),
    ...typeSpecRoutes(house),
    ...qosRoutes(house),
    ...quotaRoutes(house),
    ...serviceRoutes(house),
    ...backupRoutes(house),
    ...transferRoutes(house),
    ...groupTypeRoutes(house),
    ...groupRoutes(house),
    ...consistencyGroupRoutes(house),
    ...manageableRoutes(house),
    ...messageRoutes(house),
    ...defaultTypeRoutes(house),
    ...factsRoutes(house),
  ]),
]
