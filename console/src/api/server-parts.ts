/** What a new server is made of: images, flavors, networks, key pairs. */
import { type Image, listImages } from '#glance/contract/images.ts'
import { listNetworks, type Network } from '#neutron/contract/network.ts'
import { createServer, type Flavor, listFlavors, listKeypairs, type ServerCreate } from '#nova/contract/servers.ts'
import { queryOptions } from '@tanstack/react-query'
import { session } from '../session.ts'
import { call } from './client.ts'
import { MOUNT } from './compute.ts'

export interface ServerParts {
  images: Image[]
  flavors: Flavor[]
  /** Those that a server may be on; outside ones are not. */
  networks: Network[]
  keys: string[]
}

export const partsQuery = (projectId: string) =>
  queryOptions({
    queryKey: ['project', projectId, 'server-parts'],
    queryFn: async ({ signal }): Promise<ServerParts> => {
      const sending = { token: await session.tokenFor(projectId), signal }
      const [{ images }, { flavors }, { networks }, { keypairs }] = await Promise.all([
        call('/image', listImages, { query: { status: 'active', sort: 'name:asc', limit: 1000 } }, sending),
        call(MOUNT, listFlavors, { query: { sort_key: 'memory_mb' } }, sending),
        call('/networking', listNetworks, { query: { 'router:external': false } }, sending),
        call(MOUNT, listKeypairs, {}, sending),
      ])
      return { images, flavors, networks, keys: keypairs.map(({ keypair }) => keypair.name) }
    },
  })

export async function makeServer(projectId: string, server: ServerCreate): Promise<void> {
  await call(MOUNT, createServer, { body: { server } }, { token: await session.tokenFor(projectId) })
}
