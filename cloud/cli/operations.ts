/** `ondol operations`: what is under way, and the three verbs that are always legal. */
import type { FlowView } from '#base/flow/definition.ts'
import type { Outcome } from '#base/flow/oversight.ts'
import { ask, type Place, placeOf } from './place.ts'
import { age, table } from './table.ts'

export interface OperationsOptions {
  data?: string
  all?: boolean
  json?: boolean
}

export async function operations(verb: string | undefined, what: string | undefined, options: OperationsOptions): Promise<void> {
  const place = placeOf(options.data)
  if (verb !== undefined && verb !== 'list') return act(place, verb, what ?? '', options)
  const { now, flows: found } = (await ask(place, 'GET', '/operations', options.all ? 'all=1' : '')) as { now: number; flows: FlowView[] }
  const flows = what === undefined ? found : found.filter((flow) => [flow.id, flow.resource_id, flow.request_id, flow.project_id].includes(what))
  if (options.json) {
    process.stdout.write(`${JSON.stringify(flows, null, 1)}\n`)
    return
  }
  if (flows.length === 0) {
    process.stdout.write('Nothing is under way.\n')
    return
  }
  process.stdout.write(
    table(
      ['OPERATION', 'STATE', 'STEP', 'RESOURCE', 'AGE', 'DEADLINE IN', 'TRIES', 'OWNER', 'REQUEST'],
      flows.map((flow) => [`${flow.house} ${flow.name}`, flow.state, flow.step || null, flow.resource_id, age(now - flow.created_at), deadline(flow, now), flow.attempts, flow.owner, flow.request_id]),
    ),
  )
}

function deadline(flow: FlowView, now: number): string | null {
  if (['done', 'failed', 'cancelled'].includes(flow.state)) return null
  return flow.deadline_at < now ? `passed ${age(now - flow.deadline_at)} ago` : age(flow.deadline_at - now)
}

async function act(place: Place, verb: string, what: string, options: OperationsOptions): Promise<void> {
  const { outcomes } = (await ask(place, 'POST', '/operations', new URLSearchParams({ verb, of: what }).toString())) as { outcomes: Outcome[] }
  if (options.json) process.stdout.write(`${JSON.stringify(outcomes, null, 1)}\n`)
  else if (outcomes.length === 0) process.stdout.write(`Nothing is known of ${what}: it is no operation, resource or request of the last hour.\n`)
  else for (const one of outcomes) process.stdout.write(`${one.house} ${one.name} of ${one.resource_id}: ${one.message}\n`)
}
