/** To most services `…/volumes/` is not the list but a volume without a name, which is not there; the router itself overlooks the slash. */
import type { HttpHandler } from '#base/http/message.ts'

export function emptyIds(handler: HttpHandler): HttpHandler {
  return (request) => {
    if (request.path.endsWith('/') && /^\/v\d[^/]*(\/[^/]+)+\/$/.test(request.path)) request.path += '%20'
    return handler(request)
  }
}
