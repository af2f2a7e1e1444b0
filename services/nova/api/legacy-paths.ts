/**
 * Old spellings of a path, brought to the one that routes know, before the corridor: `/v2.1/{project_id}/…` as clients before 2.18 send,
 * and `/v2/…`, which is 2.1 without microversions.
 */
import type { HttpHandler } from '#base/http/message.ts'
import { LEGACY_HEADER } from './versions.ts'

const PROJECT = /^\/(v2(?:\.[01])?)\/[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}(\/|$)/i

export function withLegacyPaths(handler: HttpHandler): HttpHandler {
  return (request) => {
    let { path } = request
    const headers = { ...request.headers }
    delete headers[LEGACY_HEADER]
    const match = PROJECT.exec(path)
    if (match) path = `/${match[1]}/${path.slice(match[0].length)}`
    const legacy = /^\/v2(\/|$)/.test(path)
    if (legacy) {
      path = `/v2.1${path.slice(3)}`
      // The first API knew no versions; what is asked for is ignored.
      delete headers['openstack-api-version']
      delete headers['x-openstack-nova-api-version']
      headers[LEGACY_HEADER] = '1'
    }
    return handler({ ...request, path, headers })
  }
}
