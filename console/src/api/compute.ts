/** Nova: servers. */
import { actOnServer, createRemoteConsole, deleteServer, type InstanceAction, listInstanceActions, listServers, type Server, showServer } from '#nova/contract/servers.ts'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { session } from '../session.ts'
import { call } from './client.ts'

export type { InstanceAction, Server }

export const MOUNT = '/compute'
export const PAGE_SIZE = 50

/** What the address of the list says. `marker` is the last server of the page before. */
export interface ServersSearch {
  name?: string
  sort?: 'display_name' | 'created_at' | 'vm_state'
  dir?: 'asc' | 'desc'
  marker?: string
  /** The server whose details are shown. */
  server?: string
}

/** `next` is the marker of the next page. */
export interface ServersPage {
  servers: Server[]
  next: string | undefined
}

export const serversQuery = (projectId: string, { server: _, ...search }: ServersSearch) =>
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

export const serverQuery = (projectId: string, server_id: string) =>
  queryOptions({
    queryKey: ['project', projectId, 'server', server_id],
    queryFn: async ({ signal }): Promise<Server> => (await call(MOUNT, showServer, { params: { server_id } }, { token: await session.tokenFor(projectId), signal })).server,
    refetchInterval: ({ state }) => (state.data && isChanging(state.data) ? 2_000 : 5_000),
  })

/** The last things that were done to a server. */
export const actionsQuery = (projectId: string, server_id: string) =>
  queryOptions({
    queryKey: ['project', projectId, 'server', server_id, 'actions'],
    queryFn: async ({ signal }): Promise<InstanceAction[]> => (await call(MOUNT, listInstanceActions, { params: { server_id }, query: { limit: 20 } }, { token: await session.tokenFor(projectId), signal })).instanceActions,
    refetchInterval: 5_000,
  })

/** Words of this page for what may be done to a server that runs, is off, … */
export const DEEDS = {
  start: { 'os-start': null },
  stop: { 'os-stop': null },
  reboot: { reboot: { type: 'SOFT' } },
  hard_reboot: { reboot: { type: 'HARD' } },
  unpause: { unpause: null },
  resume: { resume: null },
} as const
export type Deed = keyof typeof DEEDS

const POSSIBLE: Readonly<Record<string, readonly Deed[]>> = { ACTIVE: ['reboot', 'hard_reboot', 'stop'], SHUTOFF: ['start'], PAUSED: ['unpause'], SUSPENDED: ['resume'], ERROR: ['hard_reboot'] }

/** Nova takes nothing while it is at work on a server. */
export function deedsFor(server: Server): readonly Deed[] {
  return isChanging(server) ? [] : (POSSIBLE[server.status] ?? [])
}

export async function actOn(projectId: string, server_id: string, deed: Deed): Promise<void> {
  await call(MOUNT, actOnServer, { params: { server_id }, body: DEEDS[deed] }, { token: await session.tokenFor(projectId) })
}

export async function removeServer(projectId: string, server_id: string): Promise<void> {
  await call(MOUNT, deleteServer, { params: { server_id } }, { token: await session.tokenFor(projectId) })
}

/** Where a browser sees the screen, once. */
export async function consoleOf(projectId: string, server_id: string): Promise<string> {
  const { remote_console } = await call(MOUNT, createRemoteConsole, { params: { server_id }, body: { remote_console: { protocol: 'vnc', type: 'novnc' } } }, { token: await session.tokenFor(projectId) })
  return remote_console.url
}

/** Something is being done to it. */
export function isChanging(server: Server): boolean {
  return server['OS-EXT-STS:task_state'] !== null || ['BUILD', 'REBUILD', 'MIGRATING', 'RESIZE'].includes(server.status)
}

/** Nova takes `name` as a regular expression. */
function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
