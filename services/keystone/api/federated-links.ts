/** By whom a user is known elsewhere: `federated` of a user, an identity of a provider that logs in as this one. */
import { invalid } from '#base/fault.ts'
import { deleteRows, findRow, insertRow } from '../store/rows.ts'
import type { Db } from '../store/rows.ts'
import type { FederatedUserRow, UserRow } from '../store/tables.ts'

export interface FederatedLink {
  idp_id: string
  protocols: { protocol_id: string; unique_id: string }[]
}

const TEXT = { type: 'string', minLength: 1, maxLength: 255 }

export const LINKS_SCHEMA = {
  type: 'array',
  items: { type: 'object', required: ['idp_id', 'protocols'], properties: { idp_id: TEXT, protocols: { type: 'array', minItems: 1, items: { type: 'object', required: ['protocol_id', 'unique_id'], properties: { protocol_id: TEXT, unique_id: TEXT } } } } },
}

/** Throws 400 for a provider or protocol that is not there. */
export async function assertLinks(db: Db, links: readonly FederatedLink[]): Promise<void> {
  for (const { idp_id, protocols } of links) {
    if (!(await findRow(db, 'keystone_identity_providers', { id: idp_id }))) throw invalid(`Could not find Identity Provider: ${idp_id}`, { field: 'federated' })
    for (const { protocol_id } of protocols) {
      if (!(await findRow(db, 'keystone_protocols', { idp_id, id: protocol_id }))) throw invalid(`Could not find federated protocol ${protocol_id} for Identity Provider: ${idp_id}.`, { field: 'federated' })
    }
  }
}

/** These and no others, in the caller's transaction. An identity that is another user's is a duplicate. */
export async function keepLinks(tx: Db, user: UserRow, links: readonly FederatedLink[]): Promise<void> {
  await deleteRows(tx, 'keystone_federated_users', { user_id: user.id })
  for (const { idp_id, protocols } of links) for (const { protocol_id, unique_id } of protocols) await insertRow(tx, 'keystone_federated_users', { user_id: user.id, idp_id, protocol_id, unique_id, display_name: user.name })
}

export function linksView(rows: readonly FederatedUserRow[]): FederatedLink[] {
  return [...Map.groupBy(rows, (row) => row.idp_id)].map(([idp_id, protocols]) => ({ idp_id, protocols: protocols.map(({ protocol_id, unique_id }) => ({ protocol_id, unique_id })) }))
}
