/** `ondol test`: every part of the suite, each installing what it needs; one closing line of counts. */
import { invalid } from '#base/fault.ts'
import { nearest } from '#base/config.ts'
import { add, type Counts, type Failure, parts } from '../../tools/test-parts.ts'
import { ensurePackages } from '../drivers.ts'
import { bold, paint, table } from './table.ts'

export async function test(what: string[], options: { list?: boolean }): Promise<void> {
  if (options.list) {
    process.stdout.write(table(['PART', 'WHAT'], parts.map((part) => [part.name, part.what])))
    return
  }
  for (const name of what) {
    if (!parts.some((part) => part.name === name)) {
      const near = nearest(name, parts.map((part) => part.name))
      throw invalid(`There is no part ${name}${near ? `; did you mean ${near}?` : ''} (./ondol test --list)`)
    }
  }
  const chosen = what.length > 0 ? parts.filter((part) => what.includes(part.name)) : parts.filter((part) => !part.onlyByName)
  let total: Counts = { passed: 0, failed: 0, skipped: 0 }
  const rows: unknown[][] = []
  const mended: Failure[] = []
  for (const part of chosen) {
    process.stdout.write(`\n${bold(`── ${part.name}: ${part.what}`)}\n`)
    const began = performance.now()
    let counts: Counts
    try {
      if (part.packages) await ensurePackages(part.packages, `The part ${part.name} needs`, { install: true, say: (text) => void process.stdout.write(`${text}\n`) })
      counts = await part.run()
      if (counts.failed > 0 && part.tryTwice) {
        process.stdout.write(`\n${bold(`── ${part.name}: ${counts.failed} failed; their files are tried once more`)}\n`)
        const first = counts
        const again = await part.run(first.failures && new Set(first.failures.map(({ file }) => file)))
        counts = { ...again, passed: first.passed + Math.max(0, first.failed - again.failed), skipped: first.skipped }
        mended.push(...(first.failures ?? []).filter((one) => !again.failures?.some(({ file, test }) => file === one.file && test === one.test)))
      }
    } catch (thrown) {
      process.stdout.write(`${paint('red', thrown instanceof Error ? thrown.message : String(thrown))}\n`)
      counts = { passed: 0, failed: 1, skipped: 0 }
    }
    total = add(total, counts)
    rows.push([part.name, counts.passed, counts.failed, counts.skipped, `${((performance.now() - began) / 1000).toFixed(1)} s`])
  }
  if (mended.length > 0) process.stdout.write(`\n${bold('Failed once and passed when tried again')}\n${mended.map(told).join('')}`)
  if (total.failures?.length) process.stdout.write(`\n${bold('Failed')}\n${total.failures.map(told).join('')}`)
  process.stdout.write(`\n${table(['PART', 'PASSED', 'FAILED', 'SKIPPED', 'TOOK'], rows)}\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0
}

const told = ({ file, test, reason }: Failure): string => `✖ ${file}: ${test}\n${reason.replaceAll(/^/gm, '    ')}\n`
