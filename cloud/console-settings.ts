/**
 * What the dashboard is told of this cloud before anyone has logged in (`/console/settings.json`), and logins by an identity provider: Keystone posts the
 * token of whoever has logged in to `/console/websso`, and the page that is answered there carries it: no address, no cookie and no script ever does.
 */
import { type HttpHandler, type HttpRequest, type HttpResponse, readBody } from '#base/http/message.ts'
import type { WebSignOn } from '#keystone/contract/bootstrap.ts'

export interface ConsoleSettings {
  /** By whom one may log in. */
  sign_on: WebSignOn[]
  /** As what this cloud is known; Keystone sends browsers back to there and nowhere else. */
  public_url: string
  /** That signatures of S3 name. */
  s3_region: string
}

/** Bytes of the form that Keystone posts. */
const MOST = 64 * 1024
const MARK = '<meta charset="utf-8" />'

export function withSettings(site: HttpHandler, settings: () => Promise<ConsoleSettings>): HttpHandler {
  return async (request) => {
    if (request.path === '/settings.json' && request.method === 'GET') {
      return { status: 200, headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }, body: JSON.stringify(await settings()) }
    }
    if (request.path === '/websso' && request.method === 'POST') return arrival(site, request)
    return site(request)
  }
}

async function arrival(site: HttpHandler, request: HttpRequest): Promise<HttpResponse> {
  const form = await readBody(request.body, MOST)
  const token = new URLSearchParams(form?.toString() ?? '').get('token') ?? ''
  const page = await site({ ...request, method: 'GET', path: '/index.html', headers: {}, body: undefined })
  // What is no token is not repeated; the page then says that the login did not come to its end.
  if (page.status !== 200 || !/^[\w.~=+/-]{1,16384}$/.test(token)) return page
  const { etag: _, ...headers } = page.headers
  return { ...page, headers: { ...headers, 'cache-control': 'no-store' }, body: String(page.body).replace(MARK, `${MARK}<meta name="ondol-token" content="${token}">`) }
}
