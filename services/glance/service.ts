/** The door plate of Glance: what it is in the catalog, how it speaks, and every operation it has. */
import type { Route } from '#stack/route.ts'
import type { ServicePlate } from '#stack/service.ts'
import { cacheRoutes } from './api/cache.ts'
import { dialect } from './api/dialect.ts'
import { imageDataRoutes } from './api/image-data.ts'
import { imageRoutes } from './api/images.ts'
import { importRoutes } from './api/imports.ts'
import { memberRoutes } from './api/members.ts'
import { metadefItemRoutes } from './api/metadef-items.ts'
import { namespaceRoutes } from './api/metadef-namespaces.ts'
import { schemaRoutes } from './api/schemas.ts'
import { taskRoutes } from './api/tasks.ts'
import { versionRoutes } from './api/versions.ts'
import type { Glance } from './house.ts'
import { initial } from './store/migrations/0001-initial.ts'

export const plate: ServicePlate = { name: 'glance', type: 'image', mount: '/image', catalogPath: '', dialect, migrations: { house: 'glance', migrations: [initial] } }

export const routesOf = (house: Glance): Route[] => [
  ...versionRoutes(house),
  ...imageRoutes(house),
  ...imageDataRoutes(house),
  ...memberRoutes(house),
  ...importRoutes(house),
  ...taskRoutes(house),
  ...cacheRoutes(house),
  ...schemaRoutes,
  ...namespaceRoutes(house),
  ...metadefItemRoutes(house),
]
