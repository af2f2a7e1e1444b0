/** What a run of Tempest is worth, by the list of expected failures. */
import { readFile } from 'node:fs/promises'
import type { Counts, Failure } from '../../tools/test-parts.ts'

/** One test, or a class that could not be set up or taken down. */
export interface TempestResult {
  test: string
  status: 'success' | 'fail' | 'skip'
  seconds: number
  /** A traceback, or why it was skipped. */
  why?: string
}

const LIST = new URL('expected-failures.tsv', import.meta.url)

/** Names of tests that may fail, each with its reason. */
export async function readExpected(): Promise<Map<string, string>> {
  const text = await readFile(LIST, 'utf8')
  return new Map(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split('\t') as [string, string]))
}

/** Expected failures count as skipped; a listed test that passes is a failure of the list. */
export function judge(results: readonly TempestResult[], expected: ReadonlyMap<string, string>): { counts: Counts; lines: string[] } {
  const failures: Failure[] = []
  const counts: Counts = { passed: 0, failed: 0, skipped: 0, failures }
  const lines: string[] = []
  const suites = new Map<string, { passed: number; failed: number; skipped: number; seconds: number }>()
  for (const { test, status, seconds, why } of results) {
    const suite = suiteOf(test)
    const figures = suites.get(suite) ?? { passed: 0, failed: 0, skipped: 0, seconds: 0 }
    suites.set(suite, figures)
    figures.seconds += seconds
    figures[status === 'success' ? 'passed' : status === 'fail' ? 'failed' : 'skipped']++
    if (status === 'success' && !expected.has(test)) counts.passed++
    else if (status === 'skip' || (status === 'fail' && expected.has(test))) counts.skipped++
    else {
      counts.failed++
      const reason = status === 'fail' ? lastLines(why ?? '') : `passes now: take it off ${LIST.pathname}`
      failures.push({ file: 'tempest', test, reason })
      lines.push(`✖ ${test}\n    ${reason}`)
    }
  }
  for (const [suite, { passed, failed, skipped, seconds }] of [...suites].sort()) {
    lines.push(`${suite.padEnd(28)} ${String(passed).padStart(4)} passed ${String(failed).padStart(4)} failed ${String(skipped).padStart(4)} skipped ${Math.round(seconds).toString().padStart(6)} s`)
  }
  return { counts, lines }
}

/** `tempest.api.compute`, `tempest.scenario`, `neutron_tempest_plugin.api`. */
function suiteOf(test: string): string {
  const words = test.split('.')
  return words.slice(0, words[1] === 'api' && words[0] === 'tempest' ? 3 : 2).join('.')
}

/** The exception of a traceback, without the road to it. */
function lastLines(why: string): string {
  const lines = why.trimEnd().split('\n')
  let at = lines.length - 1
  while (at > 0 && !/^[\w.]*[A-Z]\w*: /.test(lines[at]!.replace(/^Details: /, ''))) at--
  return lines.slice(at, at + 4).join('\n    ').slice(0, 600)
}
