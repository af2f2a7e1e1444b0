/** What other services tell Nova: a wake-up for whoever waits, never the truth (S10). */
import { route, type Route, type Rq } from '#stack/route.ts'
import type { ExternalEvent } from '../contract/servers.ts'
import type { Nova } from '../house.ts'
import { serversByIds } from '../store/servers.ts'

const NAMES = ['network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted', 'volume-extended', 'volume-reimaged', 'power-update', 'accelerator-request-bound'] as const

const body = {
  type: 'object',
  required: ['events'],
  additionalProperties: false,
  properties: {
    events: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['server_uuid', 'name'],
        additionalProperties: false,
        properties: { server_uuid: { type: 'string', minLength: 1 }, name: { enum: NAMES }, status: { enum: ['failed', 'completed', 'in-progress'] }, tag: { type: 'string', maxLength: 255 } },
      },
    },
  },
}

interface Told {
  events: ExternalEvent[]
}

export const externalEventRoutes = (nova: Nova): Route[] => [
  route<Told>({ method: 'POST', path: '/v2.1/os-server-external-events', name: 'external-events.create', policy: 'os_compute_api:os-server-external-events:create', body, status: 200, handle: (rq) => take(nova, rq) }),
]

async function take(nova: Nova, rq: Rq<Told>) {
  const { events } = rq.body
  const known = new Set((await serversByIds(nova.db, events.map((event) => event.server_uuid))).map((server) => server.id))
  const answers = events.map((event) => {
    const code = known.has(event.server_uuid) ? 200 : 404
    if (code === 200) nova.wakes.wake(event.server_uuid)
    return { ...event, code, status: code === 200 ? (event.status ?? 'completed') : 'failed' }
  })
  const good = answers.filter((answer) => answer.code === 200).length
  return { status: good === answers.length ? 200 : good > 0 ? 207 : 404, json: { events: answers } }
}
