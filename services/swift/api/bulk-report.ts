/** What a request on many objects did, in the format the client accepts. */
import { escape } from '../core/markup.ts'
import type { Answer, Ask } from './ask.ts'

export interface Report {
  /** `200 OK`, or the status of what went wrong. */
  status: string
  body: string
  /** Quoted paths and why. */
  errors: [string, string][]
  counts: Record<string, number>
  extra?: Record<string, string>
}

/** `root`: the element of XML. */
export function reportAnswer(ask: Ask, report: Report, root: 'delete' | 'extract' = 'delete', status = 200): Answer {
  const accept = ask.headers.accept ?? ''
  const { errors } = report
  const facts: Record<string, string | number> = { ...report.counts, 'Response Body': report.body, 'Response Status': report.status, ...report.extra }
  if (/json/.test(accept)) return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ...facts, Errors: errors }) }
  if (/xml/.test(accept)) {
    const lines = Object.entries(facts).map(([key, value]) => `<${key.replaceAll(' ', '_').toLowerCase()}>${escape(value)}</${key.replaceAll(' ', '_').toLowerCase()}>`)
    return { status, headers: { 'content-type': accept.includes('text/xml') ? 'text/xml' : 'application/xml' }, body: `<${root}>\n${lines.join('\n')}\n<errors>\n${errors.map(([name, why]) => `<object><name>${escape(name)}</name><status>${escape(why)}</status></object>\n`).join('')}</errors>\n</${root}>\n` }
  }
  return { status, headers: { 'content-type': 'text/plain' }, body: `${Object.entries(facts).map(([key, value]) => `${key}: ${value}`).join('\n')}\nErrors:\n${errors.map(([name, why]) => `${name}, ${why}\n`).join('')}` }
}
