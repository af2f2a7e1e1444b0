/** `ondol trace`: the waterfall of one request. */
import type { Span } from '#base/trace.ts'
import { invalid } from '#base/fault.ts'
import { readTrace } from '../trace-file.ts'
import { ask, placeOf } from './place.ts'
import { bold, paint } from './table.ts'

const WIDTH = 32

export async function trace(requestId: string, options: { data?: string; json?: boolean }): Promise<void> {
  const place = placeOf(options.data)
  await ask(place, 'POST', '/flush').catch(() => {})
  const spans = readTrace(place.traceDir, requestId)
  if (spans.length === 0) throw invalid(`Nothing is kept of ${requestId}. Traces are kept for a bounded size; the id is in x-openstack-request-id of the answer.`)
  process.stdout.write(options.json ? `${JSON.stringify(spans, null, 1)}\n` : waterfall(spans))
}

/** Spans as an indented list with bars; children below their parents, in order of time. */
export function waterfall(spans: readonly Span[]): string {
  const start = Math.min(...spans.map((span) => span.start))
  const end = Math.max(...spans.map((span) => span.start + span.ms))
  const ids = new Set(spans.map((span) => span.id))
  const children = Map.groupBy(spans, (span) => (span.parent !== undefined && ids.has(span.parent) ? span.parent : ''))
  const lines: string[] = [bold(`${'ms'.padStart(9)}  ${'took'.padStart(9)}  ${'where'.padEnd(WIDTH)}  what`)]
  const scale = WIDTH / Math.max(1, end - start)
  const write = (span: Span, depth: number): void => {
    const from = Math.min(WIDTH - 1, Math.floor((span.start - start) * scale))
    const length = span.kind === 'state' ? 1 : Math.max(1, Math.round(span.ms * scale))
    const bar = `${' '.repeat(from)}${(span.kind === 'state' ? '◆' : '█').repeat(Math.min(length, WIDTH - from))}`.padEnd(WIDTH)
    const facts = span.facts ? ` ${Object.entries(span.facts).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ')}` : ''
    const what = `${'  '.repeat(depth)}${span.service} ${span.kind} ${span.name}${span.host ? ` @${span.host}` : ''}${facts}`
    const took = span.kind === 'state' ? '' : span.ms.toFixed(1)
    lines.push(`${(span.start - start).toFixed(0).padStart(9)}  ${took.padStart(9)}  ${paint(span.error ? 'red' : 'cyan', bar)}  ${span.error ? paint('red', `${what} ✗ ${span.error}`) : what}`)
    for (const child of (children.get(span.id) ?? []).toSorted((a, b) => a.start - b.start)) write(child, depth + 1)
  }
  for (const span of (children.get('') ?? []).toSorted((a, b) => a.start - b.start)) write(span, 0)
  return `${lines.join('\n')}\n`
}
