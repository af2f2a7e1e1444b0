/** No flow without its breaking: whatever a house defines stands among the cases that it breaks at every step. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import type { FlowCase } from '#base/flow/kit.ts'

const root = resolve(import.meta.dirname, '..')

/** house → names of its flows, as its sources define them. */
function definedFlows(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const file of globSync('services/*/**/*.ts', { cwd: root }).filter((path) => !path.includes('/test/') && !path.endsWith('.test.ts'))) {
    const text = readFileSync(join(root, file), 'utf8')
    const names = [...text.matchAll(/\bdefineFlow<[^(]*>\(\s*'([\w-]+)'/g)].map((match) => match[1]!)
    const made = [...text.matchAll(/\bdefineFlow\s*[<(]/g)].length
    assert.equal(names.length, made, `${file}: a flow is defined as defineFlow<Params>('its-name', …), so that it can be found`)
    const house = file.split('/')[1]!
    if (names.length > 0) found.set(house, [...(found.get(house) ?? []), ...names].toSorted())
  }
  return found
}

test('every flow is broken at every step', async (t) => {
  const defined = definedFlows()
  let count = 0
  for (const [house, names] of defined) {
    const room = join(root, 'services', house, 'test')
    const { flowCases } = (await import(join(room, 'flow-cases.ts')).catch((thrown: unknown) => {
      throw new Error(`services/${house}/test/flow-cases.ts: ${String(thrown)}`)
    })) as { flowCases: FlowCase[] }
    assert.deepEqual([...new Set(flowCases.map(({ flow }) => flow))].toSorted(), names, `services/${house}/test/flow-cases.ts names the flows of the house, each of them`)
    const runners = globSync('*.test.ts', { cwd: room }).filter((file) => /^breakFlows\(flowCases/m.test(readFileSync(join(room, file), 'utf8')))
    assert.ok(runners.length > 0, `no test of services/${house}/test breaks its flowCases`)
    count += names.length
  }
  assert.ok(count >= 40, `only ${count} flows were found`)
  t.diagnostic(`${count} flows of ${[...defined.keys()].join(', ')}`)
})
