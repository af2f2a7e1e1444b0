/** How Glance speaks: errors are small HTML pages, 204 carries a content type. */
import { type Dialect, TITLES } from '#stack/dialect.ts'
import { jsonschemaText } from '#stack/schema.ts'

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

export const dialect: Dialect = {
  service: 'glance',
  serviceType: 'image',
  order: 'validate-first',
  maxBody: 4 * 2 ** 20,
  status: { over_quota: 413 },
  errorBody(fault, status) {
    const title = `${status} ${TITLES[status] ?? 'Error'}`
    return {
      headers: { 'content-type': 'text/html; charset=UTF-8' },
      body: `<html>\n <head>\n  <title>${title}</title>\n </head>\n <body>\n  <h1>${title}</h1>\n  ${escape(fault.message)}<br /><br />\n\n\n\n </body>\n</html>`,
    }
  },
  refusal: () => 'You are not authorized to complete this action.',
  schemaError: (path, problem) => `Provided object does not match schema 'image': ${jsonschemaText(problem)}${path ? ` On instance['${path.replaceAll('/', "']['")}']` : ''}`,
}
