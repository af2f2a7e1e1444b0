/**
 * Old spellings of a path, brought to the one that routes know, before the corridor: `/v2.1/{project_id}/…` as clients before 2.18 send,
 * and `/v2/…`, which is 2.1 without microversions.
 */
import type { HttpHandler } from '#base/http/message.ts'
import { LEGACY_HEADER } from './versions.ts'

const PROJECT = /^\/(v2(?:\.[01])?)\/[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}(\/|$)/i

export function withLegacyPaths(handler: HttpHandler): HttpHandler {
  return (request) => {
    if (request.headers[LEGACY_HEADER] !== undefined) request.headers = without(request.headers, [LEGACY_HEADER])
    const match = PROJECT.exec(request.path)
    if (match) request.path = `/${match[1]}/${request.path.slice(match[0].length)}`
    if (/^\/v2(\/|$)/.test(request.path)) {
      request.path = `/v2.1${request.path.slice(3)}`
      // The first API knew no versions; what is asked for is ignored.
      request.headers = { ...without(request.headers, ['openstack-api-version', 'x-openstack-nova-api-version']), [LEGACY_HEADER]: '1' }
    }
    return handler(request)
  }
}

/** A copy, as the caller's headers are not ours to change. */
function without(headers: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  const kept = { ...headers }
  for (const name of names) delete kept[name]
  return kept
}
