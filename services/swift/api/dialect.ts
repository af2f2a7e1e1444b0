/** How Swift speaks: errors are short HTML pages. */
import { Fault } from '#base/fault.ts'
import { type Dialect, TITLES } from '#stack/dialect.ts'
import { escape } from '../core/markup.ts'
import { unquote } from '../core/names.ts'

/** What Swift's pages say when there is nothing particular to say. */
export const USUAL: Readonly<Record<number, string>> = {
  403: 'Access was denied to this resource.',
  405: 'The method is not allowed for this resource.',
  406: 'The resource is not available in a format acceptable to your browser.',
  409: 'There was a conflict when trying to complete your request.',
  412: 'A precondition for this request was not met.',
  413: 'The body of your request was too large for this server.',
  422: 'Unable to process the contained instructions',
}

export const dialect: Dialect = {
  service: 'swift',
  serviceType: 'object-store',
  order: 'authorize-first',
  maxBody: 8 * 2 ** 20,
  requestIdHeaders: ['x-trans-id'],
  // `tx`, 21 and 10 hex digits: those of the request id, so that one is found by the other.
  requestIdText: (id) => id.replaceAll('-', '').replace(/^req(.{21})(.{10}).*$/, 'tx$1-$2'),
  lost: ({ path }) => (unquote(path) === undefined ? new Fault('precondition', 'Invalid UTF8 or contains NULL') : new Fault('not_found', 'The resource could not be found.')),
  errorBody(fault, status, _id, request) {
    const realm = /^\/v1\/([\w.-]+)/.exec(request.path)?.[1] ?? 'unknown'
    const text = status === 405 ? USUAL[405]! : status === 401 ? 'This server could not verify that you are authorized to access the document you requested.' : fault.message
    const usual = USUAL[status] === fault.message || status === 401 || status === 404 || status === 405 || status >= 500
    // A text of our own goes as it is; it may hold what the client sent.
    // Text with brackets of its own is no page.
    if (fault.data.plain === true) return { headers: { 'content-type': 'text/plain' }, body: fault.message }
    if (!usual && fault.message.includes('<')) return { headers: { 'content-type': 'text/plain; charset=UTF-8' }, body: fault.message }
    if (!usual) return { headers: { 'content-type': 'text/html; charset=UTF-8' }, body: escape(fault.message).replaceAll('&#x27;', "'").replaceAll('&quot;', '"') }
    return {
      headers: { 'content-type': 'text/html; charset=UTF-8', ...(status === 401 ? { 'www-authenticate': [`Swift realm="${realm}"`, `Keystone uri="${request.origin}/identity"`] } : {}) },
      body: `<html><h1>${TITLES[status] ?? 'Error'}</h1><p>${escape(text)}</p></html>`,
    }
  },
}
