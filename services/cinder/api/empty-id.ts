/** To Cinder `…/volumes/` is not the list but a volume without a name, which is not there. */
import type { HttpHandler } from '#base/http/message.ts'

export function emptyIds(handler: HttpHandler): HttpHandler {
  return (request) => handler(/^\/v3(\/[^/]+)+\/$/.test(request.path) ? { ...request, path: `${request.path}%20` } : request)
}
