/** `os-baremetal-nodes`, until 2.35: Ironic's nodes, to look at only. */
import { invalid, isFault, notFound, notImplemented } from '#base/fault.ts'
import { operation } from '#stack/contract.ts'
import { route, type Route, type Rq } from '#stack/route.ts'
import type { Nova } from '../house.ts'
import { PROXIES_END } from './proxy-steps.ts'
import { callerOf } from './server-create.ts'

interface Node {
  uuid: string
  provision_state: string | null
  instance_uuid: string | null
  properties: { cpus?: number | string; memory_mb?: number | string; local_gb?: number | string }
}

const VERSION = 'baremetal 1.38'
const listNodes = operation<Record<never, never>, { nodes: Node[] }>('GET', '/v1/nodes/detail', VERSION)
const showNode = operation<{ params: { node: string } }, Node>('GET', '/v1/nodes/{node}', VERSION)

export function baremetalNodeRoutes(nova: Nova): Route[] {
  const all = '/v2.1/os-baremetal-nodes'
  const until = PROXIES_END
  const refused = (command: string) => (): never => {
    throw invalid(`Command Not supported. Please use Ironic command ${command} to perform this action.`)
  }
  return [
    route({ method: 'GET', path: all, name: 'baremetal-nodes.index', until, policy: 'os_compute_api:os-baremetal-nodes:list', status: 200, handle: async (rq) => ({ json: { nodes: (await withIronic(nova.client.call(callerOf(rq), 'ironic', listNodes, {}))).nodes.map(view) } }) }),
    route({ method: 'GET', path: `${all}/{node_id}`, name: 'baremetal-nodes.show', until, policy: 'os_compute_api:os-baremetal-nodes:show', status: 200, handle: (rq) => show(nova, rq) }),
    route({ method: 'POST', path: all, name: 'baremetal-nodes.create', until, status: 400, bodyKind: 'none', handle: refused('node-create') }),
    route({ method: 'DELETE', path: `${all}/{node_id}`, name: 'baremetal-nodes.delete', until, status: 400, handle: refused('node-delete') }),
    ...(['add_interface', 'remove_interface'] as const).map((action) =>
      route({ method: 'POST', path: `${all}/{node_id}/action`, action, name: `baremetal-nodes.${action}`, until, status: 400, handle: refused(action === 'add_interface' ? 'port-create' : 'port-delete') }),
    ),
  ]
}

/** A cloud without Ironic says so. */
async function withIronic<T>(asked: Promise<T>): Promise<T> {
  return asked.catch((thrown: unknown) => {
    if (isFault(thrown, 'unavailable')) throw notImplemented('Ironic client unavailable, cannot access Ironic.', { cause: thrown })
    throw thrown
  })
}

async function show(nova: Nova, rq: Rq<unknown>) {
  const id = rq.params.node_id!
  const node = await withIronic(nova.client.call(callerOf(rq), 'ironic', showNode, { params: { node: id } })).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_found')) throw notFound(`Node ${id} could not be found.`, { cause: thrown })
    throw thrown
  })
  return { json: { node: { ...view(node), instance_uuid: node.instance_uuid } } }
}

const view = ({ uuid, provision_state, properties }: Node) => ({ id: uuid, interfaces: [], host: 'IRONIC MANAGED', task_state: provision_state, cpus: properties.cpus ?? 0, memory_mb: properties.memory_mb ?? 0, disk_gb: properties.local_gb ?? 0 })
