/** How Swift speaks: errors are short HTML pages. */
import { type Dialect, TITLES } from '#stack/dialect.ts'
import { escape } from '../core/markup.ts'

export const dialect: Dialect = {
  service: 'swift',
  serviceType: 'object-store',
  order: 'authorize-first',
  maxBody: 8 * 2 ** 20,
  requestIdHeaders: ['x-trans-id'],
  // `tx`, 21 and 10 hex digits: those of the request id, so that one is found by the other.
  requestIdText: (id) => id.replaceAll('-', '').replace(/^req(.{21})(.{10}).*$/, 'tx$1-$2'),
  errorBody(fault, status, _id, request) {
    const realm = /^\/v1\/([\w.-]+)/.exec(request.path)?.[1] ?? 'unknown'
    const text = status === 401 ? 'This server could not verify that you are authorized to access the document you requested.' : fault.message
    return {
      headers: { 'content-type': 'text/html; charset=UTF-8', ...(status === 401 ? { 'www-authenticate': [`Swift realm="${realm}"`, `Keystone uri="${request.origin}/identity"`] } : {}) },
      body: `<html><h1>${TITLES[status] ?? 'Error'}</h1><p>${escape(text)}</p></html>`,
    }
  },
}
