/** How Glance's one flow is broken, and what must be found then. */
import assert from 'node:assert/strict'
import { VirtualClock } from '#base/clock.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import { type FlowTables, listFlows } from '#base/flow/journal.ts'
import type { FlowCase, Trial } from '#base/flow/kit.ts'
import { BYTES, type GlanceKit, glanceKit } from './glance-kit.ts'

interface ImportTrial extends Trial {
  glance: GlanceKit
  id: string
}

async function importTrial(): Promise<ImportTrial> {
  let faults: FlowFaults = {}
  const clock = new VirtualClock()
  const glance = await glanceKit({ stores: [{ id: 'file' }, { id: 'far' }] }, { clock, faults: { before: (flow, step) => faults.before?.(flow, step), after: (flow, step) => faults.after?.(flow, step) } })
  const id = await glance.make()
  await glance.ask('PUT', `/v2/images/${id}/stage`, { headers: BYTES, body: Buffer.from('staged') })
  return {
    glance,
    id,
    async run(given) {
      faults = given
      const begun = await glance.ask('POST', `/v2/images/${id}/import`, { body: { method: { name: 'glance-direct' }, all_stores: true } })
      assert.equal(begun.status, 202, begun.text)
      const live = () => listFlows(glance.kit.db.as<FlowTables>(), { live: true, limit: 5 })
      for (let turn = 0; turn < 20_000 && (await live()).length > 0; turn++) await clock.advance(100)
      assert.deepEqual(await live(), [])
    },
    async close() {
      const closing = glance.close()
      await clock.advance(2000)
      await closing
    },
  }
}

export const flowCases: FlowCase[] = [
  {
    flow: 'import-image',
    make: importTrial,
    async failed(given, step, died) {
      const { glance, id } = given as ImportTrial
      const image = (await glance.ask('GET', `/v2/images/${id}`)).json
      // Once it is active it stays so: only the task did not come to its end.
      const active = step === 'end' || (step === 'publish' && died)
      assert.equal(image.status, active ? 'active' : 'uploading')
      const file = await glance.ask('GET', `/v2/images/${id}/file`)
      assert.equal(file.status, active ? 200 : 204)
    },
    async finished(given) {
      const { glance, id } = given as ImportTrial
      const image = (await glance.ask('GET', `/v2/images/${id}`)).json
      assert.deepEqual([image.status, image.stores], ['active', 'file,far'])
      assert.equal((await glance.ask('GET', `/v2/images/${id}/file`)).text, 'staged')
    },
  },
]
