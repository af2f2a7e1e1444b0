/** How Swift speaks: errors are short HTML pages. */
import { type Dialect, TITLES } from '#stack/dialect.ts'

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

export const dialect: Dialect = {
  service: 'swift',
  serviceType: 'object-store',
  order: 'authorize-first',
  maxBody: 8 * 2 ** 20,
  requestIdHeaders: ['x-trans-id'],
  errorBody(fault, status, _id, request) {
    const realm = /^\/v1\/([\w.-]+)/.exec(request.path)?.[1] ?? 'unknown'
    const text = status === 401 ? 'This server could not verify that you are authorized to access the document you requested.' : fault.message
    return {
      headers: { 'content-type': 'text/html; charset=UTF-8', ...(status === 401 ? { 'www-authenticate': [`Swift realm="${realm}"`, `Keystone uri="${request.origin}/identity"`] } : {}) },
      body: `<html><h1>${TITLES[status] ?? 'Error'}</h1><p>${escape(text)}</p></html>`,
    }
  },
}
