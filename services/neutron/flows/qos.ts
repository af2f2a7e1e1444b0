/** QoS policies as other things use them. */
import { notFound } from '#base/fault.ts'
import type { T } from '#neutron/store/tables.ts'
import { store } from '#neutron/store/store.ts'

/** The policy must be there, and be the project's own or shared with it. */
export async function useQosPolicy(tx: T, id: string, who: { admin: boolean; project: string | undefined }): Promise<void> {
  const row = await store.qosPolicies.one(tx, { id }, ['project_id', 'shared_with'])
  const shared = row && row.shared_with !== '[]' && ['*', who.project].some((target) => target !== undefined && (JSON.parse(row.shared_with) as string[]).includes(target))
  if (!row || !(who.admin || row.project_id === who.project || shared)) throw notFound(`QoS policy ${id} could not be found.`, { code: 'QosPolicyNotFound' })
}
