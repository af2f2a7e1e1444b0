/** What travels: one JSON object per message, the same in memory and over AMQP. */
import { type FaultData, faultFromData } from '../fault.ts'
import { currentScope, type Scope } from '../scope.ts'
import type { World } from '../world.ts'
import type { MessageKind } from './interface.ts'

export interface Envelope {
  id: string
  kind: MessageKind
  topic: string
  method: string
  sender: string
  payload: unknown
  scope?: Scope
  /** Milliseconds since the epoch. */
  deadline?: number
}

export interface Answer {
  result?: unknown
  fault?: FaultData
}

/** The message as text. `timeout` in milliseconds from now. */
export function seal(world: World, sender: string, kind: MessageKind, topic: string, method: string, payload: unknown, timeout?: number): { id: string; text: string } {
  const scope = currentScope()
  const envelope: Envelope = {
    id: world.random.uuid(),
    kind,
    topic,
    method,
    sender,
    payload: payload ?? null,
    ...(scope ? { scope } : {}),
    ...(timeout === undefined ? {} : { deadline: world.clock.now() + timeout }),
  }
  return { id: envelope.id, text: JSON.stringify(envelope) }
}

/** Undefined when the text is no envelope: something else writes to our queue. */
export function unseal(text: string): Envelope | undefined {
  try {
    const found = JSON.parse(text) as Partial<Envelope> | null
    if (found && typeof found.id === 'string' && typeof found.topic === 'string' && typeof found.method === 'string' && typeof found.kind === 'string') return found as Envelope
  } catch {
    // Not JSON: not ours.
  }
  return undefined
}

/** The result out of an answer's text, or the Fault thrown. */
export function openAnswer(text: string): unknown {
  const answer = JSON.parse(text) as Answer
  if (answer.fault) throw faultFromData(answer.fault)
  return answer.result
}
