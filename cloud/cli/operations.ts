/** `ondol operations`. */
import { invalid } from '#base/fault.ts'
import type { FlowView } from '#base/flow/definition.ts'
import { ask, placeOf } from './place.ts'
import { age, table } from './table.ts'

const VERBS = ['list', 'cancel', 'retry', 'take-over'] as const
type Verb = (typeof VERBS)[number]

export interface OperationsOptions {
  data?: string
  all?: boolean
  json?: boolean
}

export async function operations(verb: string | undefined, resource: string | undefined, options: OperationsOptions): Promise<void> {
  const found = VERBS.find((each) => each === (verb ?? 'list'))
  if (!found) throw invalid(`Unknown verb '${verb}'. There are: ${VERBS.join(', ')}.`)
  if (found === 'list') return list(options)
  if (!resource) throw invalid(`Say which resource: ./ondol operations ${found} RESOURCE_ID (the list names them)`)
  const answer = (await ask(placeOf(options.data), 'POST', `/operations/${found}`, `resource=${encodeURIComponent(resource)}`)) as { live: number; taken: number; restarted: string | null }
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${told(found, resource, answer)}\n`)
}

function told(verb: Verb, resource: string, { live, taken, restarted }: { live: number; taken: number; restarted: string | null }): string {
  if (restarted !== null) return `Started ${restarted} for ${resource} again, from its beginning.`
  if (live === 0) return verb === 'retry' ? `Nothing is under way for ${resource}, and its last operation did not fail: there is nothing to try again.` : `Nothing is under way for ${resource}.`
  if (verb === 'cancel') return `Asked ${taken} operation(s) to undo themselves.`
  return `Took ${taken} operation(s) from their owners: the next worker goes on at the step that was under way, within seconds.`
}

async function list(options: OperationsOptions): Promise<void> {
  const { now, flows } = (await ask(placeOf(options.data), 'GET', '/operations', options.all ? 'all=1' : '')) as { now: number; flows: FlowView[] }
  if (options.json || !process.stdout.isTTY) {
    process.stdout.write(`${JSON.stringify(flows, null, 1)}\n`)
    return
  }
  if (flows.length === 0) {
    process.stdout.write('Nothing is under way.\n')
    return
  }
  process.stdout.write(
    table(
      ['SERVICE', 'OPERATION', 'STATE', 'STEP', 'RESOURCE', 'AGE', 'DEADLINE IN', 'OWNER', 'REQUEST'],
      flows.map((flow) => [flow.house, flow.name, flow.state, flow.step, flow.resource_id, age(now - flow.created_at), age(flow.deadline_at - now), flow.owner, flow.request_id]),
    ),
  )
}
