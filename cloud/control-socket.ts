/** What the `ondol` command asks of a running cloud, over a Unix socket that only its owner may open. */
import { Fault } from '#base/fault.ts'
import { flushFileSinks } from '#base/file-sink.ts'
import { type HttpHandler, type HttpResponse, readBody } from '#base/http/message.ts'
import { type Listening, listen } from '#base/http/server.ts'
import { asFault } from '#base/fault.ts'
import { type FlowTables, listFlows } from '#base/flow/journal.ts'
import { oversee } from '#base/flow/oversight.ts'
import type { World } from '#base/world.ts'
import type { Trace } from '#base/trace.ts'
import type { DriverChoice } from './drivers.ts'
import type { Cloud } from './start-cloud.ts'
import { explainPolicy, policyRules } from './policy.ts'
import { cloudStatus } from './status.ts'

export interface ControlParts {
  /** Absent on a machine with role compute. */
  cloud: Cloud | undefined
  machine: { url: string; world: World; agents: readonly string[] }
  trace: Trace
  traceDir: string
  drivers: DriverChoice
  startedAt: number
  /** How long the start took, milliseconds. */
  startMs: number
  stop: () => void
}

export function controlSocket(path: string, parts: ControlParts): Promise<Listening> {
  const { world } = parts.machine
  const db = parts.cloud?.db.as<FlowTables>()
  const handler: HttpHandler = async (request) => {
    switch (`${request.method} ${request.path}`) {
      case 'GET /status':
        return json(await cloudStatus(parts))
      case 'POST /flush':
        flushFileSinks()
        return json({})
      case 'GET /operations': {
        const all = new URLSearchParams(request.query).has('all')
        if (!db) return elsewhere(parts)
        return json({ now: world.clock.now(), flows: await listFlows(db, { live: !all, limit: 1000 }) })
      }
      case 'POST /operations': {
        if (!db) return elsewhere(parts)
        const query = new URLSearchParams(request.query)
        try {
          return json({ outcomes: await oversee(db, world, query.get('verb') ?? '', query.get('of') ?? '') })
        } catch (thrown) {
          return { status: asFault(thrown).kind === 'invalid' ? 400 : 500, headers: {}, body: asFault(thrown).message }
        }
      }
      case 'GET /policy/rules':
        return parts.cloud ? json(policyRules(parts.cloud.enforcers)) : elsewhere(parts)
      case 'GET /policy/explain':
        return parts.cloud ? answered(explainPolicy(parts.cloud, new URLSearchParams(request.query))) : elsewhere(parts)
      case 'GET /database':
        return parts.cloud ? json(await parts.cloud.databaseMove.view()) : elsewhere(parts)
      case 'POST /database/move': {
        const { cloud } = parts
        if (!cloud) return elsewhere(parts)
        const { to } = JSON.parse((await readBody(request.body, 2 ** 16))!.toString()) as { to: string }
        return answered(cloud.databaseMove.start(to).then(() => cloud.databaseMove.view()))
      }
      case 'POST /database/stop':
        if (!parts.cloud) return elsewhere(parts)
        await parts.cloud.databaseMove.stop()
        return json(await parts.cloud.databaseMove.view())
      case 'POST /database/abandon':
        return parts.cloud ? answered(parts.cloud.databaseMove.abandon()) : elsewhere(parts)
      case 'POST /stop':
        parts.stop()
        return json({})
      default:
        return { status: 404, headers: {}, body: 'The running cloud does not know this question; is it of another version?' }
    }
  }
  return listen(handler, { path })
}

function elsewhere(parts: ControlParts): HttpResponse {
  return { status: 404, headers: {}, body: `This machine runs guests only; ask on the control plane at ${parts.machine.url}.` }
}

/** The caller's own mistakes are answers too. */
async function answered(work: Promise<object>): Promise<HttpResponse> {
  try {
    return json(await work)
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind !== 'internal') return { status: 400, headers: {}, body: thrown.message }
    throw thrown
  }
}

function json(value: unknown): HttpResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}
