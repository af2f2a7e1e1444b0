/** A container as a web site for those who come without a token: index pages, error pages, listings in HTML. */
import { listPage } from '../core/listing.ts'
import { truthy } from '../core/metadata.ts'
import { escape } from '../core/markup.ts'
import { quote } from '../core/names.ts'
import type { Swift } from '../house.ts'
import { leapsIn, objectsIn } from '../store/listings.ts'
import { type Answer, answerOf, type Ask, attempt, containerSeen, drop, HTML, type Layer, metadataOf, page, type Serve, sub } from './ask.ts'
import { authorize } from './rights.ts'

const WEB = 'x-container-meta-web-'

export const staticweb: Layer = (house, inner) => async (ask) => {
  const { method, names, who, headers } = ask
  const mode = truthy(headers['x-web-mode'])
  if (names.container === '' || (method !== 'GET' && method !== 'HEAD') || (who.user_id !== undefined && !mode) || (ask.source !== undefined && ask.source !== 'TU')) return inner(ask)
  const row = await containerSeen(house, ask, names)
  const web = metadataOf(row)
  const [index, listings, error, css, directory] = ['index', 'listings', 'error', 'listings-css', 'directory-type'].map((name) => (web[WEB + name] === undefined ? undefined : Buffer.from(web[WEB + name]!, 'latin1').toString()))
  if (!row || (!mode && index === undefined && listings === undefined && error === undefined)) return inner(ask)
  const site: Site = { house, inner, ask, index, listings: truthy(listings), error, css, label: web[`${WEB}listings-label`] }
  return names.object === '' ? atRoot(site) : atObject(site, directory ?? 'application/directory')
}

interface Site { house: Swift; inner: Serve; ask: Ask; index: string | undefined; listings: boolean; error: string | undefined; css: string | undefined; label: string | undefined }

async function atRoot(site: Site): Promise<Answer> {
  const { ask, inner, index, listings } = site
  const refusal = await refused(site)
  if (refusal) return failed(site, refusal)
  if (index === undefined && !listings) return truthy(ask.headers['x-web-mode']) ? page(404, 'The resource could not be found.') : inner(ask)
  if (!ask.path.endsWith('/')) return moved(ask)
  if (index !== undefined) {
    const answer = await attempt(inner, { ...sub(ask, ask.method, { ...ask.names, object: index }, { source: 'SW' }), headers: ask.headers })
    if (answer.status !== 404) return answer.status >= 400 ? failed(site, answer) : answer
  }
  return listings ? listed(site, '') : failed(site, disabled(site, ''))
}

async function atObject(site: Site, directory: string): Promise<Answer> {
  const { ask, inner, index, listings, house } = site
  const answer = await attempt(inner, ask)
  const isFolder = answer.status === 200 && (answer.content?.size ?? 2) <= 1 && String(answer.headers['content-type']).split(';')[0] === directory
  if (answer.status < 400 && !isFolder) return answer
  // Pages for errors are for what is not there.
  if (answer.status !== 404 && !isFolder) return answer
  if (index === undefined && !listings) return answer
  drop(answer)
  const folder = ask.names.object.endsWith('/') ? ask.names.object : `${ask.names.object}/`
  if (index !== undefined) {
    const found = await attempt(inner, { ...sub(ask, ask.method, { ...ask.names, object: folder + index }, { source: 'SW' }), headers: ask.headers })
    if (found.status < 400) {
      if (ask.path.endsWith('/')) return found
      drop(found)
      return moved(ask)
    }
    if (found.status !== 404) return failed(site, found)
  }
  if (ask.path.endsWith('/')) return listings ? listed(site, folder) : failed(site, disabled(site, folder))
  // Whether there is a folder is told to those who may list.
  if (await refused(site)) return failed(site, page(404, 'The resource could not be found.'))
  const row = await containerSeen(house, ask, ask.names)
  const below = await listPage({ limit: 1, marker: '', end_marker: '', prefix: `${ask.names.object}/`, delimiter: '', path: undefined, reverse: false }, (window) => objectsIn(house.db, row!.id, house.world.clock.now(), window))
  return below.length > 0 ? moved(ask) : failed(site, page(404, 'The resource could not be found.'))
}

/** The answer to those who may not list the container. */
async function refused({ house, ask }: Site): Promise<Answer | undefined> {
  const row = await containerSeen(house, ask, ask.names)
  try {
    await authorize(house, ask, { ...ask.names, object: '' }, 'read', metadataOf(row)['x-container-read'])
    return undefined
  } catch (thrown) {
    return answerOf(thrown, ask)
  }
}

function disabled(site: Site, prefix: string): Answer {
  return { status: 404, headers: { ...HTML }, body: `<!DOCTYPE html>\n<html>\n<head>\n<title>${escape(titleOf(site, prefix))}</title>\n${styleOf(site, prefix)}\n</head>\n<body>\n<h1>Web Listing Disabled</h1>\nThe owner of this web site has disabled web listing.\n<br />If you are the owner of this web site, you can enable\nweb listing by setting X-Container-Meta-Web-Listings.</body>\n</html>\n` }
}

const titleOf = ({ ask, label }: Site, prefix: string): string => `Listing of ${label === undefined ? `/v1/${ask.names.account}/${ask.names.container}/${prefix}` : `${Buffer.from(label, 'latin1').toString()}/${prefix}`}`

function styleOf({ css }: Site, prefix: string): string {
  const up = '../'.repeat(prefix.split('/').length - 1)
  return css === undefined
    ? '<style type="text/css">h1 {font-size: 1em; font-weight: bold;} th {text-align: left; padding: 0px 1em 0px 1em;} td {padding: 0px 1em 0px 1em;} a {text-decoration: none;}</style>'
    : `<link rel="stylesheet" type="text/css" href="${/^https?:\/\//.test(css) ? escape(css) : escape(up + quote(css))}" />`
}

function moved(ask: Ask): Answer {
  return { status: 301, headers: { location: `${ask.base}${ask.shownPath ?? ask.path}/`, 'content-type': 'text/html; charset=UTF-8' }, body: '<html><h1>Moved Permanently</h1><p>The resource has moved permanently.</p></html>' }
}

async function failed(site: Site, answer: Answer): Promise<Answer> {
  const { ask, inner, error } = site
  if (error === undefined) return answer
  const own = await attempt(inner, sub(ask, 'GET', { ...ask.names, object: `${answer.status}${error}` }, { source: 'SW' }))
  if (!own.content) return answer
  const { content } = own
  return { status: answer.status, headers: { ...answer.headers, 'content-type': own.headers['content-type']!, 'content-length': String(content.size) }, ...(ask.method === 'HEAD' || content.size === 0 ? {} : { body: await content.open(0, content.size - 1) }) }
}

async function listed(site: Site, prefix: string): Promise<Answer> {
  const { ask, house } = site
  const row = (await containerSeen(house, ask, ask.names))!
  const refusal = await refused(site)
  if (refusal) return failed(site, refusal)
  const lines = await listPage({ limit: house.config.limits.container_listing_limit, marker: '', end_marker: '', prefix, delimiter: '/', path: undefined, reverse: false }, (window) => objectsIn(house.db, row.id, house.world.clock.now(), window), leapsIn(house.db, row.id, house.world.clock.now()))
  if (lines.length === 0) return failed(site, page(404, 'The resource could not be found.'))
  const title = titleOf(site, prefix)
  const signed = ask.temporary === undefined ? '' : escape(`?${ask.temporary.query}`)
  const rowsOf = lines.map(({ row: one, subdir }) => {
    const name = (one?.name ?? subdir!).slice(prefix.length)
    // With `./` before it no name is taken for a scheme, with its dots escaped none climbs.
    const link = `<a href="./${escape(quote(name).replaceAll('.', '%2E'))}${signed}">${escape(name)}</a>`
    return one
      ? `<tr class="item${String(one.content_type).split(';')[0]!.split('/').map((part) => ` type-${part.replaceAll(/[^\w-]/g, '-')}`).join('')}"><td class="colname">${link}</td><td class="colsize">${humanSize(Number(one.size))}</td><td class="coldate">${new Date(Number(one.created_at)).toISOString().slice(0, 19).replace('T', ' ')}</td></tr>`
      : `<tr class="item subdir"><td class="colname">${link}</td><td class="colsize">&nbsp;</td><td class="coldate">&nbsp;</td></tr>`
  })
  const parent = prefix.length <= (ask.temporary?.prefix.length ?? 0) ? '' : `<tr id="parent" class="item"><td class="colname"><a href="../${signed}">../</a></td><td class="colsize">&nbsp;</td><td class="coldate">&nbsp;</td></tr>`
  const html = `<!DOCTYPE html>\n<html>\n<head>\n<title>${escape(title)}</title>\n${styleOf(site, prefix)}\n</head>\n<body>\n<h1 id="title">${escape(title)}</h1>\n<table id="listing">\n<tr id="heading"><th class="colname">Name</th><th class="colsize">Size</th><th class="coldate">Date</th></tr>\n${parent}${rowsOf.join('\n')}\n</table>\n</body>\n</html>\n`
  return { status: 200, headers: { 'content-type': 'text/html; charset=UTF-8', ...(ask.temporary === undefined ? {} : { 'x-backend-content-generator': 'staticweb' }) }, body: html }
}

function humanSize(bytes: number): string {
  let value = bytes
  for (const unit of ['', 'Ki', 'Mi', 'Gi', 'Ti']) {
    if (value < 1024) return `${unit === '' ? value : Math.round(value)}${unit}`
    value /= 1024
  }
  return `${Math.round(value)}Pi`
}
