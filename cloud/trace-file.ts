/** Keeps spans on disk for `ondol trace`, in segments that are thrown away when there are too many. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileSink } from '#base/file-sink.ts'
import type { Span, TraceSink } from '#base/trace.ts'

const SEGMENT_BYTES = 8 * 2 ** 20
const SEGMENTS = 8

export function traceFile(dir: string): TraceSink & { flush(): void } {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  let serial = segments(dir).at(-1) ?? 0
  let size = 0
  let sink = fileSink(join(dir, `spans-${++serial}.jsonl`))
  return {
    write(span) {
      const line = spanLine(span)
      size += line.length
      sink.write(line)
      if (size < SEGMENT_BYTES) return
      sink.end()
      size = 0
      sink = fileSink(join(dir, `spans-${++serial}.jsonl`))
      for (const old of segments(dir).slice(0, -SEGMENTS)) rmSync(join(dir, `spans-${old}.jsonl`), { force: true })
    },
    flush: () => sink.flushSync(),
  }
}

/** As `JSON.stringify`; by hand, as every request writes one. Ids and kinds hold nothing that JSON would escape, names may. */
function spanLine(span: Span): string {
  const { parent, global_request_id, host, error, facts } = span
  return `{"id":"${span.id}","request_id":"${span.request_id}","kind":"${span.kind}","service":"${span.service}","name":${JSON.stringify(span.name)},"start":${span.start},"ms":${Math.round(span.ms * 1000) / 1000}${parent === undefined ? '' : `,"parent":"${parent}"`}${global_request_id === undefined ? '' : `,"global_request_id":"${global_request_id}"`}${host === undefined ? '' : `,"host":${JSON.stringify(host)}`}${error === undefined ? '' : `,"error":${JSON.stringify(error)}`}${facts === undefined ? '' : `,"facts":${JSON.stringify(facts)}`}}\n`
}

/** All kept spans of a request, by its own or its global id. */
export function readTrace(dir: string, requestId: string): Span[] {
  const found: Span[] = []
  for (const serial of segments(dir)) {
    for (const line of readFileSync(join(dir, `spans-${serial}.jsonl`), 'utf8').split('\n')) {
      if (!line.includes(requestId)) continue
      try {
        const span = JSON.parse(line) as Span
        if (span.request_id === requestId || span.global_request_id === requestId) found.push(span)
      } catch {
        // The last line of a process that was killed may be torn.
      }
    }
  }
  return found.sort((a, b) => a.start - b.start)
}

function segments(dir: string): number[] {
  try {
    return readdirSync(dir)
      .map((name) => Number(/^spans-(\d+)\.jsonl$/.exec(name)?.[1]))
      .filter((serial) => Number.isInteger(serial))
      .sort((a, b) => a - b)
  } catch {
    return []
  }
}
