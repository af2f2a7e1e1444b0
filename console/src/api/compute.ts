/** Nova: servers. */
import { listServers, type Server } from '#nova/contract/servers.ts'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { session } from '../session.ts'
import { call } from './client.ts'

export type { Server }

export const MOUNT = '/compute'
export const PAGE_SIZE = 50

/** What the address of the list says. `marker` is the last server of the page before. */
export interface ServersSearch {
  name?: string
  sort?: 'display_name' | 'created_at' | 'vm_state'
  dir?: 'asc' | 'desc'
  marker?: string
}

/** `next` is the marker of the next page. */
export interface ServersPage {
  servers: Server[]
  next: string | undefined
}

export const serversQuery = (projectId: string, search: ServersSearch) =>
  queryOptions({
    queryKey: ['project', projectId, 'servers', search],
    queryFn: async ({ signal }): Promise<ServersPage> => {
      const query = { limit: PAGE_SIZE, name: search.name && literal(search.name), sort_key: search.sort, sort_dir: search.sort && (search.dir ?? 'asc'), marker: search.marker }
      const page = await call(MOUNT, listServers, { query }, { token: await session.tokenFor(projectId), signal })
      return { servers: page.servers, next: page.servers_links ? page.servers.at(-1)?.id : undefined }
    },
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.servers.some(isChanging) ? 2_000 : 5_000),
  })

/** Something is being done to it. */
export function isChanging(server: Server): boolean {
  return server['OS-EXT-STS:task_state'] !== null || ['BUILD', 'REBUILD', 'MIGRATING', 'RESIZE'].includes(server.status)
}

/** Nova takes `name` as a regular expression. */
function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
