/**
 * Pages that somebody keeps as objects, opened by a browser at the address where the dashboard is too. For browsers they would be one: a
 * page could read what the dashboard keeps in the tab. So they run in a sandbox, as pages of an origin of their own. Clients that are no
 * browsers, and hosts that are a store's alone, see nothing of this.
 */
import type { HttpHandler, HttpRequest, HttpResponse } from '#base/http/message.ts'

const SANDBOX = 'sandbox allow-downloads allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-scripts'

/** What browsers take for a page: a frame is one too. */
const PAGES = ['document', 'iframe', 'frame', 'embed', 'object']
/** Types that hold scripts, and those of which browsers guess. */
const ACTIVE = /html|xml|svg|xsl|multipart|unknown|\*|^[^/]*$/i

export function sandboxed(handler: HttpHandler): HttpHandler {
  return (request) => (opensPage(request) ? handler(request).then(boxed) : handler(request))
}

function opensPage({ method, headers }: HttpRequest): boolean {
  if (method !== 'GET' && method !== 'POST') return false
  // Said over HTTPS only; without, a wish for HTML comes from who opens a page.
  const what = headers['sec-fetch-dest']
  return what === undefined ? headers.accept?.includes('text/html') === true : PAGES.includes(what)
}

function boxed(response: HttpResponse): HttpResponse {
  const name = Object.keys(response.headers).find((one) => one.toLowerCase() === 'content-type')
  if (ACTIVE.test(String(name === undefined ? '' : response.headers[name]))) response.headers['content-security-policy'] = SANDBOX
  return response
}
