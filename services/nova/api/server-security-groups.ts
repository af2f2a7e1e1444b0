/** A server's security groups: those of its ports. */
import { conflict, invalid, isFault, notFound } from '#base/fault.ts'
import { listPorts, updatePort } from '#neutron/contract/network.ts'
import { listSecurityGroups } from '#neutron/contract/security-group.ts'
import type { Schema } from '#stack/schema.ts'
import { route, type Route, type Rq } from '#stack/route.ts'
import { securityGroupIds } from '../flows/ports.ts'
import type { Nova } from '../house.ts'
import { patchServer } from '../store/servers.ts'
import type { ServerRow } from '../store/tables.ts'
import { envelope, object } from './schemas.ts'
import { securityGroupViews } from './security-group-view.ts'
import { actionRoute } from './server-actions.ts'
import { callerOf } from './server-create.ts'
import { authorizedServer } from './server-steps.ts'

const named: Schema = object({ name: { type: 'string', minLength: 1, maxLength: 255 } }, ['name'])

export function serverSecurityGroupRoutes(nova: Nova): Route[] {
  return [
    route({
      method: 'GET', path: '/v2.1/servers/{server_id}/os-security-groups', name: 'server-security-groups.list', status: 200,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-security-groups:list')
        const { ports } = await nova.client.call(await nova.service(), 'neutron', listPorts, { query: { device_id: server.id } })
        const ids = [...new Set(ports.flatMap((port) => port.security_groups))]
        if (ids.length === 0) return { json: { security_groups: [] } }
        const { security_groups } = await nova.client.call(await nova.service(), 'neutron', listSecurityGroups, { query: { id: ids } })
        return { json: { security_groups: await securityGroupViews(nova, await nova.service(), security_groups) } }
      },
    }),
    actionRoute<{ name: string }>(nova, { key: 'addSecurityGroup', rule: 'os-security-groups:add', body: envelope('addSecurityGroup', named) }, (rq, server) => change(nova, rq, server, rq.body.name, 'add')),
    actionRoute<{ name: string }>(nova, { key: 'removeSecurityGroup', rule: 'os-security-groups:remove', body: envelope('removeSecurityGroup', named) }, (rq, server) => change(nova, rq, server, rq.body.name, 'remove')),
  ]
}

async function change(nova: Nova, rq: Rq<unknown>, server: ServerRow, name: string, how: 'add' | 'remove'): Promise<void> {
  const found = await securityGroupIds(nova, callerOf(rq), server.project_id, [name]).catch((thrown: unknown) => {
    if (isFault(thrown, 'invalid')) throw notFound(`Security group ${name} not found for project ${server.project_id}.`, { cause: thrown })
    throw thrown
  })
  const id = found.ids[0]!
  const caller = await nova.service()
  const { ports } = await nova.client.call(caller, 'neutron', listPorts, { query: { device_id: server.id } })
  if (ports.length === 0) throw invalid(`Instance ${server.id} has no port for a security group.`)
  let changed = 0
  for (const port of ports) {
    const has = port.security_groups.includes(id)
    if (has === (how === 'add')) continue
    const security_groups = how === 'add' ? [...port.security_groups, id] : port.security_groups.filter((one) => one !== id)
    await nova.client.call(caller, 'neutron', updatePort, { params: { id: port.id }, body: { port: { security_groups } } })
    changed += 1
  }
  if (changed === 0 && how === 'remove') throw notFound(`Security group ${found.names[0]} not associated with the instance ${server.id}`)
  const names = new Set(JSON.parse(server.security_groups) as string[])
  if (how === 'add') names.add(found.names[0]!)
  else names.delete(found.names[0]!)
  if (!(await patchServer(nova.db, server.id, { security_groups: JSON.stringify([...names]) }))) throw conflict(`Instance ${server.id} is gone.`)
}
