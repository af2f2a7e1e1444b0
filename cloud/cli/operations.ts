/** `ondol operations`. */
import type { FlowView } from '#base/flow/definition.ts'
import { ask, placeOf } from './place.ts'
import { age, table } from './table.ts'

export async function operations(options: { data?: string; all?: boolean; json?: boolean; cancel?: string }): Promise<void> {
  const place = placeOf(options.data)
  if (options.cancel) {
    const { cancelled } = (await ask(place, 'POST', '/operations/cancel', `resource=${encodeURIComponent(options.cancel)}`)) as { cancelled: number }
    process.stdout.write(cancelled === 0 ? `Nothing is under way for ${options.cancel}.\n` : `Asked ${cancelled} operation(s) to undo themselves.\n`)
    return
  }
  const { now, flows } = (await ask(place, 'GET', '/operations', options.all ? 'all=1' : '')) as { now: number; flows: FlowView[] }
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
      ['SERVICE', 'OPERATION', 'STATE', 'STEP', 'RESOURCE', 'AGE', 'DEADLINE IN', 'OWNER', 'REQUEST'],
      flows.map((flow) => [flow.house, flow.name, flow.state, flow.step, flow.resource_id, age(now - flow.created_at), age(flow.deadline_at - now), flow.owner, flow.request_id]),
    ),
  )
}
