/** Policies: blobs that Keystone keeps for services to fetch, and which endpoint, service or region each is for (OS-ENDPOINT-POLICY). */
import { notFound } from '#base/fault.ts'
import { text } from '#stack/resource/field.ts'
import { type Resource, type Row, toRow, toWire } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { type Db, deleteRows, findRow, findRows, insertRow, updateRow } from '../store/rows.ts'
import type { EndpointRow, PolicyAssociationRow, PolicyRow } from '../store/tables.ts'
import { endpointView } from './catalog.ts'
import { id } from './fields.ts'
import type { Keystone } from './house.ts'
import { at, created, enforce, listReply, mergedExtra, newId, page, there, updated, v3 } from './steps.ts'

export const POLICY: Resource = {
  one: 'policy',
  many: 'policies',
  path: '/v3/policies',
  table: 'keystone_policies',
  extra: 'extra',
  fields: { id: id(), type: text({ max: 255 }, { post: 'required', put: true }), blob: text({}, { post: 'required', put: true, filter: false }) },
}

export function policyRoutes(house: Keystone): Route[] {
  const { db } = house
  const view = (rq: Rq, row: PolicyRow): Row => ({ ...toWire(POLICY, row as unknown as Row), links: { self: v3(rq, `policies/${row.id}`) } })
  const get = async (policyId: string): Promise<PolicyRow> => there(await findRow(db, 'keystone_policies', { id: policyId }), 'policy', policyId)
  const find = async (rq: Rq, action: string): Promise<PolicyRow> => {
    enforce(rq, action)
    return get(rq.params.policy_id!)
  }
  const update = async (rq: Rq): Promise<Reply> => {
    const policy = await find(rq, 'update_policy')
    const patch = updated(POLICY, rq, policy.id)
    const columns = { ...(toRow(POLICY, patch) as Partial<PolicyRow>), extra: mergedExtra(policy.extra, patch) }
    await updateRow(db, 'keystone_policies', { id: policy.id }, columns)
    return { json: { policy: view(rq, { ...policy, ...columns }) } }
  }
  const routes = [
    at('GET', '/v3/policies', 'policies.list', 200, async (rq) => {
      enforce(rq, 'list_policies')
      const { rows, ...more } = await page<PolicyRow>(house, rq, POLICY)
      return listReply(rq, 'policies', rows.map((row) => view(rq, row)), more)
    }),
    at('POST', '/v3/policies', 'policies.create', 201, async (rq) => {
      enforce(rq, 'create_policy')
      const row = { ...toRow(POLICY, created(POLICY, rq)), id: newId(house) } as unknown as PolicyRow
      await insertRow(db, 'keystone_policies', row)
      return { json: { policy: view(rq, row) } }
    }),
    at('GET', '/v3/policies/{policy_id}', 'policies.show', 200, async (rq) => ({ json: { policy: view(rq, await find(rq, 'get_policy')) } })),
    at('PATCH', '/v3/policies/{policy_id}', 'policies.update', 200, update),
    at('DELETE', '/v3/policies/{policy_id}', 'policies.delete', 204, async (rq) => {
      const policy = await find(rq, 'delete_policy')
      await db.transaction(async (tx) => {
        await deleteRows(tx, 'keystone_policy_associations', { policy_id: policy.id })
        await deleteRows(tx, 'keystone_policies', { id: policy.id })
      })
      return {}
    }),
  ]
  return [...routes, ...associationRoutes(house, view, get)]
}

function associationRoutes(house: Keystone, view: (rq: Rq, row: PolicyRow) => Row, get: (id: string) => Promise<PolicyRow>): Route[] {
  const { db } = house
  const base = '/v3/policies/{policy_id}/OS-ENDPOINT-POLICY'
  const key = (rq: Rq): Omit<PolicyAssociationRow, 'id' | 'policy_id'> => ({ endpoint_id: rq.params.endpoint_id ?? '', service_id: rq.params.service_id ?? '', region_id: rq.params.region_id ?? '' })
  const parties = async (rq: Rq, action: string): Promise<void> => {
    enforce(rq, action)
    await get(rq.params.policy_id!)
    const { endpoint_id, service_id, region_id } = rq.params
    if (endpoint_id !== undefined) there(await findRow(db, 'keystone_endpoints', { id: endpoint_id }), 'endpoint', endpoint_id)
    if (service_id !== undefined) there(await findRow(db, 'keystone_services', { id: service_id }), 'service', service_id)
    if (region_id !== undefined) there(await findRow(db, 'keystone_regions', { id: region_id }), 'region', region_id)
  }
  const kinds = [
    ['endpoints/{endpoint_id}', 'endpoint'],
    ['services/{service_id}', 'service'],
    ['services/{service_id}/regions/{region_id}', 'region_and_service'],
  ] as const
  const lines = kinds.flatMap(([path, kind]) => [
    at('PUT', `${base}/${path}`, `policy_association.create_${kind}`, 204, async (rq) => {
      await parties(rq, `create_policy_association_for_${kind}`)
      await db.transaction(async (tx) => {
        // An endpoint, service or region has one policy: the newest.
        await deleteRows(tx, 'keystone_policy_associations', key(rq))
        await insertRow(tx, 'keystone_policy_associations', { id: newId(house), policy_id: rq.params.policy_id!, ...key(rq) })
      })
      return {}
    }),
    at('GET', `${base}/${path}`, `policy_association.check_${kind}`, 204, async (rq) => {
      await parties(rq, `check_policy_association_for_${kind}`)
      if (!(await findRow(db, 'keystone_policy_associations', { policy_id: rq.params.policy_id!, ...key(rq) }))) throw notFound('Could not find policy association.')
      return {}
    }),
    at('DELETE', `${base}/${path}`, `policy_association.delete_${kind}`, 204, async (rq) => {
      await parties(rq, `delete_policy_association_for_${kind}`)
      await deleteRows(db, 'keystone_policy_associations', { policy_id: rq.params.policy_id!, ...key(rq) })
      return {}
    }),
  ])
  return [
    ...lines,
    at('GET', `${base}/endpoints`, 'policy_association.endpoints', 200, async (rq) => {
      enforce(rq, 'list_endpoints_for_policy')
      await get(rq.params.policy_id!)
      const [endpoints, policyOf] = [await findRows(db, 'keystone_endpoints', {}, 'id'), await policies(db, await findRows(db, 'keystone_policy_associations'))]
      const found = endpoints.filter((endpoint) => policyOf(endpoint) === rq.params.policy_id)
      return listReply(rq, 'endpoints', found.map((row) => endpointView(house, rq, row)))
    }),
    at('GET', `${base}/policy`, 'policy_association.policy', 200, async (rq) => {
      enforce(rq, 'get_policy_for_endpoint')
      return { json: { policy: view(rq, await get(rq.params.policy_id!)) } }
    }),
    at('GET', '/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy', 'policy_association.for_endpoint', 200, async (rq) => {
      enforce(rq, 'get_policy_for_endpoint')
      const endpoint = there(await findRow(db, 'keystone_endpoints', { id: rq.params.endpoint_id! }), 'endpoint', rq.params.endpoint_id!)
      const { id: endpoint_id, service_id } = endpoint
      const near = [...(await findRows(db, 'keystone_policy_associations', { endpoint_id })), ...(await findRows(db, 'keystone_policy_associations', { service_id }))]
      const policyId = (await policies(db, near))(endpoint)
      if (policyId === undefined) throw notFound(`No policy is associated with endpoint ${endpoint.id}.`)
      return { json: { policy: view(rq, await get(policyId)) } }
    }),
  ]
}

/** Which policy an endpoint has of these: its own, else that of its service in its region or one above, else that of its service. */
async function policies(db: Db, associations: readonly PolicyAssociationRow[]): Promise<(endpoint: EndpointRow) => string | undefined> {
  const keyOf = (endpoint_id: string, service_id: string, region_id: string): string => JSON.stringify([endpoint_id, service_id, region_id])
  const byPlace = new Map(associations.map((one) => [keyOf(one.endpoint_id, one.service_id, one.region_id), one.policy_id]))
  const parents = new Map(byPlace.size > 0 ? (await findRows(db, 'keystone_regions')).map((region) => [region.id, region.parent_region_id]) : [])
  return (endpoint) => {
    const own = byPlace.get(keyOf(endpoint.id, '', ''))
    if (own !== undefined) return own
    for (let region = endpoint.region_id; region; region = parents.get(region) ?? null) {
      const found = byPlace.get(keyOf('', endpoint.service_id, region))
      if (found !== undefined) return found
    }
    return byPlace.get(keyOf('', endpoint.service_id, ''))
  }
}
