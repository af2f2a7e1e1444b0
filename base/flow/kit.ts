/**
 * Breaks a flow at every step, for tests. Each house names the cases of its flows in `test/flow-cases.ts` and runs them with `breakFlows`;
 * `tools/flows.test.ts` fails when a flow has none.
 *
 * - `eachFailure`: once for every step, that step throws; the flow must end `failed` and `undone` must find nothing left. A step that must be done is
 *   done at its second try.
 * - `eachCrash`: once for every step, the process dies after the step ran and before it was recorded; another engine takes over,
 *   the step runs twice, and `finished` must find the whole result.
 * - `eachRelapse`: once for every step that can still be undone, the process dies after the step ran and before it was recorded, and the owner that
 *   takes over fails there; `undone` must find nothing left of what the dead one did.
 */
import { test } from 'node:test'
import type { FlowFaults } from './engine.ts'
import { Crash } from './runner.ts'

export interface Trial {
  /** Starts one flow with these faults and waits until it has ended, across a take-over if the process died. */
  run(faults: FlowFaults): Promise<void>
  /** Takes the trial's world away. */
  close?(): Promise<void>
}

export interface FlowCase {
  /** Name of the flow that is broken. Others that run in the trial are left alone. */
  flow: string
  /** Tells cases of one flow apart. */
  when?: string
  make(): Promise<Trial>
  /** After a failure at this step, in which nothing was done, or (`died`) everything by one who died: throws what is left over. */
  failed(trial: Trial, step: string, died: boolean): Promise<void>
  /** After a death at this step. */
  finished(trial: Trial, step: string): Promise<void>
}

/** Three tests a case. */
export function breakFlows(cases: readonly FlowCase[]): void {
  for (const one of cases) {
    const name = one.when === undefined ? one.flow : `${one.flow}, ${one.when}`
    test(`${name}: failed at any step it is undone and says so`, () => eachFailure(one.flow, one.make, (trial, step) => one.failed(trial, step, false)))
    test(`${name}: whoever dies after any step, it is finished`, () => eachCrash(one.flow, one.make, (trial, step) => one.finished(trial, step)))
    test(`${name}: failed where another died, it is undone`, () => eachRelapse(one.flow, one.make, (trial, step) => one.failed(trial, step, true)))
  }
}

/** The names of the steps that one clean run takes, in order. */
export async function stepsOf(flow: string, make: () => Promise<Trial>): Promise<string[]> {
  const names: string[] = []
  await within(make, (trial) => trial.run({ before: (name, step) => void (name === flow && names.push(step)) }))
  if (names.length === 0) throw new Error(`the flow ${flow} took no step in its trial`)
  return names
}

export async function eachFailure(flow: string, make: () => Promise<Trial>, undone: (trial: Trial, step: string) => Promise<void>): Promise<void> {
  for (const step of await stepsOf(flow, make)) {
    await within(make, async (trial) => {
      let failed = false
      await trial.run({
        before(name, now) {
          // Once: a step that must be done is tried again.
          if (name !== flow || now !== step || failed) return
          failed = true
          throw new Error(`broken at ${step}`)
        },
      })
      await at(step, undone(trial, step))
    })
  }
}

export async function eachCrash(flow: string, make: () => Promise<Trial>, finished: (trial: Trial, step: string) => Promise<void>): Promise<void> {
  for (const step of await stepsOf(flow, make)) {
    await within(make, async (trial) => {
      let died = false
      await trial.run({
        after(name, now) {
          if (name === flow && now === step && !died) {
            died = true
            throw new Crash()
          }
        },
      })
      await at(step, finished(trial, step))
    })
  }
}

export async function eachRelapse(flow: string, make: () => Promise<Trial>, undone: (trial: Trial, step: string) => Promise<void>): Promise<void> {
  for (const step of await stepsOf(flow, make)) {
    await within(make, async (trial) => {
      let died = false
      let relapsed = false
      await trial.run({
        before(name, now) {
          if (name !== flow || now !== step || !died || relapsed) return
          relapsed = true
          throw new Error(`broken at ${step}`)
        },
        after(name, now) {
          if (name !== flow || now !== step || died) return
          died = true
          throw new Crash()
        },
      })
      // A last step that concluded is not run again.
      if (relapsed) await at(step, undone(trial, step))
    })
  }
}

async function within(make: () => Promise<Trial>, work: (trial: Trial) => Promise<void>): Promise<void> {
  const trial = await make()
  try {
    await work(trial)
  } finally {
    await trial.close?.()
  }
}

/** Whoever reads of a failed test wants to know at which step. */
async function at(step: string, check: Promise<void>): Promise<void> {
  try {
    await check
  } catch (thrown) {
    if (thrown instanceof Error) thrown.message = `at the step '${step}': ${thrown.message}`
    throw thrown
  }
}
