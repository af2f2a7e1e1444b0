/** `os-volumes_boot`, until 2.102: another name under which servers can be acted on, from when booting from a volume was an extension. */
import type { Route } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { ACTION_PATH } from './server-actions.ts'

const UNTIL = v('2.102')
const ACTIONS = new Set(['confirmResize', 'createImage', 'os-start', 'os-stop', 'reboot', 'rebuild', 'resize', 'revertResize', 'trigger_crash_dump'])

export function volumesBootRoutes(routes: readonly Route[]): Route[] {
  return routes
    .filter((one) => one.path === ACTION_PATH && ACTIONS.has(one.action ?? ''))
    .map((one) => ({ ...one, path: '/v2.1/os-volumes_boot/{server_id}/action', until: Math.min(one.until ?? UNTIL, UNTIL) }))
}
