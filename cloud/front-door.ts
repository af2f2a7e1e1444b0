/** One address for every house: `/compute`, `/networking` … Each house sees its own path and knows the mount for its links. */
import type { HttpHandler, HttpRequest, HttpResponse } from '#base/http/message.ts'

export interface Mount {
  /** Without slash at the end; the empty mount takes what no other takes. */
  path: string
  handler: HttpHandler
  /** The handler wants the whole path; the mount then is no part of its links. */
  keepPath?: boolean
  /** Takes these whatever their path. */
  claims?: (request: HttpRequest) => boolean | Promise<boolean>
}

export function frontDoor(mounts: readonly Mount[]): HttpHandler {
  const byFirst = new Map(mounts.map((mount) => [mount.path, mount]))
  const fallback = byFirst.get('')
  const claimers = mounts.filter(({ claims }) => claims !== undefined)
  return (request) => {
    for (const claimer of claimers) {
      const claimed = claimer.claims!(request)
      if (claimed === true) return claimer.handler(request)
      if (claimed !== false) return claimed.then((yes) => (yes ? claimer.handler(request) : byPath(request)))
    }
    return byPath(request)
  }

  function byPath(request: HttpRequest): Promise<HttpResponse> {
    const end = request.path.indexOf('/', 1)
    const first = end < 0 ? request.path : request.path.slice(0, end)
    const mount = byFirst.get(first) ?? fallback
    if (!mount) return Promise.resolve(lost())
    if (!mount.keepPath && mount.path !== '') {
      request.mount = mount.path
      request.path = request.path.slice(mount.path.length) || '/'
    }
    return mount.handler(request)
  }
}

function lost(): HttpResponse {
  return { status: 404, headers: { 'content-type': 'text/plain' }, body: 'Nothing is served here. See /identity for the services of this cloud.\n' }
}
