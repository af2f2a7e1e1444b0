/**
 * One thing at a time per guest, in order of asking. Destroying does not wait its turn: it tells what runs and what waits to give up
 * (their signal is aborted) and runs next.
 */
import { conflict, type Fault } from '#base/fault.ts'

export type GuestWork<T> = (signal: AbortSignal) => Promise<T>

interface Line {
  abort: AbortController
  tail: Promise<unknown>
  waiting: number
}

export interface GuestLines {
  run<T>(serverId: string, work: GuestWork<T>): Promise<T>
  /** `at_once` is called after the abort and before the turn comes, to make what runs end (e.g. by ending the machine). */
  preempt<T>(serverId: string, atOnce: () => Promise<void>, work: GuestWork<T>): Promise<T>
}

export function guestLines(): GuestLines {
  const lines = new Map<string, Line>()
  const enter = <T>(serverId: string, line: Line, work: GuestWork<T>, always: boolean): Promise<T> => {
    const { signal } = line.abort
    line.waiting += 1
    const turn = line.tail.then(() => {
      if (signal.aborted && !always) throw deleting()
      return work(signal)
    })
    line.tail = turn.then(
      () => {},
      () => {},
    )
    return turn.finally(() => {
      line.waiting -= 1
      if (line.waiting === 0 && lines.get(serverId) === line) lines.delete(serverId)
    })
  }
  const lineOf = (serverId: string): Line => {
    let line = lines.get(serverId)
    if (!line) lines.set(serverId, (line = { abort: new AbortController(), tail: Promise.resolve(), waiting: 0 }))
    return line
  }
  return {
    run: (serverId, work) => enter(serverId, lineOf(serverId), work, false),
    preempt(serverId, atOnce, work) {
      const old = lineOf(serverId)
      const line: Line = { abort: new AbortController(), tail: old.tail, waiting: 0 }
      lines.set(serverId, line)
      old.abort.abort(deleting())
      // A second destruction must not make the first one fail.
      const turn = enter(serverId, line, work, true)
      turn.catch(() => {})
      return atOnce().then(
        () => turn,
        async (thrown: unknown) => {
          await turn.catch(() => {})
          throw thrown
        },
      )
    },
  }
}

function deleting(): Fault {
  return conflict('The server is being deleted.', { code: 'deleting' })
}
