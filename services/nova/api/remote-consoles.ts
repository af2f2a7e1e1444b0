/** URLs under which a browser opens a server's console: one token, one use, for a while. */
import { createHash } from 'node:crypto'
import { conflict, invalid, isFault, notFound } from '#base/fault.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { byVersion, v } from '#stack/version.ts'
import { callCompute } from '../flows/computes.ts'
import type { Nova } from '../house.ts'
import { consoleToken, insertConsoleToken } from '../store/console-tokens.ts'
import { authorizedServer } from './server-steps.ts'

interface Wish {
  remote_console: { protocol: string; type: string }
}

const PAIRS = [
  ['vnc', 'novnc'],
  ['vnc', 'xvpvnc'],
  ['serial', 'serial'],
  ['spice', 'spice-html5'],
  ['rdp', 'rdp-html5'],
  ['mks', 'webmks'],
] as const

const body = {
  type: 'object',
  required: ['remote_console'],
  additionalProperties: false,
  properties: {
    remote_console: {
      type: 'object',
      required: ['protocol', 'type'],
      additionalProperties: false,
      properties: { protocol: { enum: [...new Set(PAIRS.map(([protocol]) => protocol))] }, type: { enum: PAIRS.map(([, type]) => type) } },
    },
  },
}

const legacy = (action: string) => ({ type: 'object', required: [action], properties: { [action]: { type: 'object', required: ['type'], properties: { type: { type: 'string' } }, additionalProperties: false } } })

export function remoteConsoleRoutes(nova: Nova): Route[] {
  return [
    route<Wish>({
      method: 'POST', path: '/v2.1/servers/{server_id}/remote-consoles', name: 'remote-consoles.create', since: v('2.6'), body, status: byVersion({ '2.6': 200 }),
      async handle(rq) {
        const { protocol, type } = rq.body.remote_console
        if (!PAIRS.some((pair) => pair[0] === protocol && pair[1] === type)) throw invalid(`A console of protocol ${protocol} has no type ${type}.`, { field: 'type' })
        return { json: { remote_console: { protocol, type, url: await open(nova, rq, type) } } }
      },
    }),
    ...(['os-getVNCConsole', 'os-getSerialConsole', 'os-getSPICEConsole', 'os-getRDPConsole'] as const).map((action) =>
      route<{ type: string }>({
        method: 'POST', path: '/v2.1/servers/{server_id}/action', action, name: `servers.${action}`, until: v('2.5'), body: legacy(action), status: 200,
        handle: async (rq) => ({ json: { console: { type: rq.body.type, url: await open(nova, rq, rq.body.type) } } }),
      }),
    ),
    route({ method: 'GET', path: '/v2.1/os-console-auth-tokens/{console_token}', name: 'console-auth-tokens.show', policy: 'os_compute_api:os-console-auth-tokens', status: 200, handle: (rq) => show(nova, rq) }),
  ]
}

async function open(nova: Nova, rq: Rq<unknown>, type: string): Promise<string> {
  const server = await authorizedServer(nova, rq, 'os-remote-consoles')
  if (type !== 'novnc' && type !== 'serial') throw invalid(`Invalid console type ${type}`, { field: 'type' })
  if (server.host_id === null || server.vm_state === 'building') throw conflict(`Instance ${server.id} is not ready`)
  const kind = type === 'novnc' ? 'vnc' : 'serial'
  // Asked now, so that a guest that is off is told of here and not by a dead page. A fake host has no sockets, but its URL may be asked for.
  await callCompute(nova, server.host_id, 'consoleSocket', { server_id: server.id, kind }, { wait: 0 }).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_implemented')) return
    if (isFault(thrown, 'conflict') || isFault(thrown, 'not_found')) throw conflict(`Instance ${server.id} is not ready`, { cause: thrown })
    throw thrown
  })
  const token = nova.world.random.bytes(24).toString('base64url')
  await insertConsoleToken(nova.db, { token_hash: hashOf(token), server_id: server.id, console_type: type, host_id: server.host_id, expires_at: nova.world.clock.now() + nova.config.console_token_ttl, used: 0 })
  const path = `${(rq.http.mount ?? '').slice(1)}/consoles?token=${token}`
  if (type === 'serial') return `${rq.http.origin.replace(/^http/, 'ws')}/${path}`
  return `${rq.http.origin}/console/vnc.html?path=${encodeURIComponent(path)}`
}

export const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

async function show(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const found = await consoleToken(nova.db, hashOf(rq.params.console_token!), nova.world.clock.now())
  if (!found) throw notFound('Token not found')
  return { json: { console: { instance_uuid: found.server_id, host: found.host_id, port: 0, internal_access_path: null } } }
}
