/**
 * Breaks a flow at every step, for tests. Each house runs its flows through this (see `engine.test.ts` for an example):
 *
 * - `eachFailure`: once for every step, that step throws; the flow must end `failed` and `undone` must find nothing left.
 * - `eachCrash`: once for every step, the process dies after the step ran and before it was recorded; another engine takes over,
 *   the step runs twice, and `finished` must find the whole result.
 * - `eachRelapse`: once for every step that can still be undone, the process dies after the step ran and before it was recorded, and the owner that
 *   takes over fails there; `undone` must find nothing left of what the dead one did.
 */
import type { FlowFaults } from './engine.ts'
import { Crash } from './runner.ts'

export interface Trial {
  /** Starts one flow with these faults and waits until it has ended, across a take-over if the process died. */
  run(faults: FlowFaults): Promise<void>
}

/** The names of the steps that one clean run takes, in order. */
export async function stepsOf(make: () => Promise<Trial>): Promise<string[]> {
  const names: string[] = []
  await (await make()).run({ before: (_flow, step) => void names.push(step) })
  return names
}

export async function eachFailure(make: () => Promise<Trial>, undone: (trial: Trial, step: string) => Promise<void>): Promise<void> {
  for (const step of await stepsOf(make)) {
    const trial = await make()
    await trial.run({
      before(_flow, at) {
        if (at === step) throw new Error(`broken at ${step}`)
      },
    })
    await undone(trial, step)
  }
}

export async function eachCrash(make: () => Promise<Trial>, finished: (trial: Trial, step: string) => Promise<void>): Promise<void> {
  for (const step of await stepsOf(make)) {
    const trial = await make()
    let died = false
    await trial.run({
      after(_flow, at) {
        if (at === step && !died) {
          died = true
          throw new Crash()
        }
      },
    })
    await finished(trial, step)
  }
}

export async function eachRelapse(make: () => Promise<Trial>, undone: (trial: Trial, step: string) => Promise<void>): Promise<void> {
  for (const step of await stepsOf(make)) {
    const trial = await make()
    let died = false
    let relapsed = false
    await trial.run({
      before(_flow, at) {
        if (at !== step || !died || relapsed) return
        relapsed = true
        throw new Error(`broken at ${step}`)
      },
      after(_flow, at) {
        if (at !== step || died) return
        died = true
        throw new Crash()
      },
    })
    // A last step that concluded is not run again.
    if (relapsed) await undone(trial, step)
  }
}
