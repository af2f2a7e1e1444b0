/** OS-FEDERATION's nouns: identity providers, protocols, mappings, service providers. */
import { conflict, invalid } from '#base/fault.ts'
import type { Row } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { getDomain } from '../store/projects.ts'
import { deleteRows, findRow, findRows, insertRow, updateRow } from '../store/rows.ts'
import type { IdentityProviderRow, MappingRow, ProtocolRow, ServiceProviderRow } from '../store/tables.ts'
import type { Keystone } from './house.ts'
import { at, checked, enforce, flagParam, listReply, newId, storing, there, v3 } from './steps.ts'

const BASE = '/v3/OS-FEDERATION'
const WORDS = { type: ['string', 'null'] }
const URL_TEXT = { type: 'string', maxLength: 256, pattern: String.raw`^https?://[^\s\x00-\x1f\x7f]+$` }
const body = (key: string, properties: object, required: readonly string[] = []): object => ({ type: 'object', required: [key], properties: { [key]: { type: 'object', properties, required, additionalProperties: false } } })

export function federationRoutes(house: Keystone): Route[] {
  return [...providerRoutes(house), ...protocolRoutes(house), ...mappingRoutes(house), ...serviceProviderRoutes(house)]
}

interface IdpAsk {
  description?: string | null
  enabled?: boolean
  remote_ids?: string[] | null
  domain_id?: string | null
  authorization_ttl?: number | null
}

function providerRoutes(house: Keystone): Route[] {
  const { db } = house
  const IDP = { description: WORDS, enabled: { type: 'boolean' }, remote_ids: { anyOf: [{ type: 'null' }, { type: 'array', items: { type: 'string' }, uniqueItems: true }] }, authorization_ttl: { type: ['integer', 'null'], minimum: 0 } }
  const view = async (rq: Rq, row: IdentityProviderRow): Promise<Row> => {
    const self = v3(rq, `OS-FEDERATION/identity_providers/${row.id}`)
    const remote_ids = (await findRows(db, 'keystone_idp_remote_ids', { idp_id: row.id })).map((one) => one.remote_id)
    return { id: row.id, domain_id: row.domain_id, enabled: row.enabled === 1, description: row.description, remote_ids, authorization_ttl: row.authorization_ttl, links: { self, protocols: `${self}/protocols` } }
  }
  const find = async (rq: Rq, action: string): Promise<IdentityProviderRow> => {
    enforce(rq, action)
    return there(await findRow(db, 'keystone_identity_providers', { id: rq.params.id! }), 'identity provider', rq.params.id!)
  }
  const remotes = async (tx: Parameters<typeof insertRow>[0], idp_id: string, ids: readonly string[]): Promise<void> => {
    await deleteRows(tx, 'keystone_idp_remote_ids', { idp_id })
    for (const remote_id of ids) {
      if (await findRow(tx, 'keystone_idp_remote_ids', { remote_id })) throw conflict(`Conflict occurred attempting to store identity_provider - Duplicate remote ID: ${remote_id}.`)
      await insertRow(tx, 'keystone_idp_remote_ids', { remote_id, idp_id })
    }
  }
  const create = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'create_identity_provider')
    checked(body('identity_provider', { ...IDP, domain_id: WORDS, id: { type: 'string' } }), rq.body)
    const ask = (rq.body as { identity_provider: IdpAsk }).identity_provider
    if (ask.domain_id) there(await getDomain(db, ask.domain_id), 'domain', ask.domain_id)
    const row: IdentityProviderRow = { id: rq.params.id!, domain_id: ask.domain_id ?? newId(house), enabled: ask.enabled ? 1 : 0, description: ask.description ?? null, authorization_ttl: ask.authorization_ttl ?? null }
    await storing('identity_provider', `Duplicate ID, ${row.id}`, () =>
      db.transaction(async (tx) => {
        await insertRow(tx, 'keystone_identity_providers', row)
        if (!ask.domain_id) {
          await insertRow(tx, 'keystone_projects', { id: row.domain_id, name: row.domain_id, domain_id: '', parent_id: '', is_domain: 1, enabled: 1, description: `Auto generated federated domain for Identity Provider: ${row.id}`, options: '{}', extra: '{}', revoked_before: 0 })
        }
        await remotes(tx, row.id, ask.remote_ids ?? [])
      }),
    )
    return { json: { identity_provider: await view(rq, row) } }
  }
  const update = async (rq: Rq): Promise<Reply> => {
    const row = await find(rq, 'update_identity_provider')
    checked(body('identity_provider', { ...IDP, domain_id: WORDS }), rq.body)
    const ask = (rq.body as { identity_provider: IdpAsk }).identity_provider
    if (ask.domain_id !== undefined && ask.domain_id !== row.domain_id) throw invalid('Cannot change Domain ID', { field: 'domain_id' })
    const changed: IdentityProviderRow = { ...row, ...(ask.enabled === undefined ? {} : { enabled: ask.enabled ? 1 : 0 }), ...(ask.description === undefined ? {} : { description: ask.description }), ...(ask.authorization_ttl === undefined ? {} : { authorization_ttl: ask.authorization_ttl }) }
    await db.transaction(async (tx) => {
      const { id: _, ...columns } = changed
      await updateRow(tx, 'keystone_identity_providers', { id: row.id }, columns)
      if (ask.remote_ids !== undefined) await remotes(tx, row.id, ask.remote_ids ?? [])
      await house.revoke(tx)
    })
    return { json: { identity_provider: await view(rq, changed) } }
  }
  const remove = async (rq: Rq): Promise<Reply> => {
    const row = await find(rq, 'delete_identity_provider')
    await db.transaction(async (tx) => {
      for (const table of ['keystone_idp_remote_ids', 'keystone_protocols', 'keystone_expiring_memberships'] as const) await deleteRows(tx, table, { idp_id: row.id })
      await deleteRows(tx, 'keystone_identity_providers', { id: row.id })
      await house.revoke(tx)
    })
    return {}
  }
  return [
    at('GET', `${BASE}/identity_providers`, 'identity_providers.list', 200, async (rq) => {
      enforce(rq, 'list_identity_providers')
      const id = rq.query.get('id')
      const rows = (await findRows(db, 'keystone_identity_providers', id === null ? {} : { id }, 'id')).filter((row) => !rq.query.has('enabled') || (row.enabled === 1) === flagParam(rq, 'enabled'))
      return listReply(rq, 'identity_providers', await Promise.all(rows.map((row) => view(rq, row))))
    }),
    at('PUT', `${BASE}/identity_providers/{id}`, 'identity_providers.create', 201, create),
    at('GET', `${BASE}/identity_providers/{id}`, 'identity_providers.show', 200, async (rq) => ({ json: { identity_provider: await view(rq, await find(rq, 'get_identity_provider')) } })),
    at('PATCH', `${BASE}/identity_providers/{id}`, 'identity_providers.update', 200, update),
    at('DELETE', `${BASE}/identity_providers/{id}`, 'identity_providers.delete', 204, remove),
  ]
}

function protocolRoutes(house: Keystone): Route[] {
  const { db } = house
  const path = `${BASE}/identity_providers/{idp_id}/protocols/{protocol_id}`
  const view = (rq: Rq, row: ProtocolRow): Row => {
    const idp = v3(rq, `OS-FEDERATION/identity_providers/${row.idp_id}`)
    return { id: row.id, mapping_id: row.mapping_id, remote_id_attribute: row.remote_id_attribute, links: { self: `${idp}/protocols/${row.id}`, identity_provider: idp } }
  }
  const idp = async (id: string): Promise<void> => void there(await findRow(db, 'keystone_identity_providers', { id }), 'identity provider', id)
  const mapping = async (id: string | undefined): Promise<void> => {
    if (id !== undefined && !(await findRow(db, 'keystone_mappings', { id }))) throw invalid(`Could not find mapping: ${id}.`, { field: 'mapping_id' })
  }
  const find = async (rq: Rq, action: string): Promise<ProtocolRow> => {
    enforce(rq, action)
    return there(await findRow(db, 'keystone_protocols', { idp_id: rq.params.idp_id!, id: rq.params.protocol_id! }), 'federated protocol', rq.params.protocol_id!)
  }
  const PROTOCOL = { mapping_id: { type: 'string', minLength: 1, maxLength: 64 }, remote_id_attribute: { type: ['string', 'null'], maxLength: 64 } }
  type Ask = { protocol: { mapping_id: string; remote_id_attribute?: string | null } }
  return [
    at('GET', `${BASE}/identity_providers/{id}/protocols`, 'protocols.list', 200, async (rq) => {
      enforce(rq, 'list_protocols')
      await idp(rq.params.id!)
      return listReply(rq, 'protocols', (await findRows(db, 'keystone_protocols', { idp_id: rq.params.id! }, 'id')).map((row) => view(rq, row)))
    }),
    at('PUT', path, 'protocols.create', 201, async (rq) => {
      enforce(rq, 'create_protocol')
      checked(body('protocol', PROTOCOL, ['mapping_id']), rq.body)
      const ask = (rq.body as Ask).protocol
      await idp(rq.params.idp_id!)
      await mapping(ask.mapping_id)
      const row: ProtocolRow = { idp_id: rq.params.idp_id!, id: rq.params.protocol_id!, mapping_id: ask.mapping_id, remote_id_attribute: ask.remote_id_attribute ?? null }
      await storing('federation_protocol', `Duplicate ID, ${row.id}`, () => db.transaction((tx) => insertRow(tx, 'keystone_protocols', row)))
      return { json: { protocol: view(rq, row) } }
    }),
    at('GET', path, 'protocols.show', 200, async (rq) => ({ json: { protocol: view(rq, await find(rq, 'get_protocol')) } })),
    at('PATCH', path, 'protocols.update', 200, async (rq) => {
      const row = await find(rq, 'update_protocol')
      checked(body('protocol', PROTOCOL), rq.body)
      const ask = (rq.body as Ask).protocol
      await mapping(ask.mapping_id)
      await updateRow(db, 'keystone_protocols', { idp_id: row.idp_id, id: row.id }, ask)
      return { json: { protocol: view(rq, { ...row, ...ask }) } }
    }),
    at('DELETE', path, 'protocols.delete', 204, async (rq) => {
      const row = await find(rq, 'delete_protocol')
      await deleteRows(db, 'keystone_protocols', { idp_id: row.idp_id, id: row.id })
      return {}
    }),
  ]
}

const STRINGS = { type: 'array', items: { type: 'string' } }
const LOCAL = {
  type: 'object',
  additionalProperties: false,
  properties: {
    user: { type: 'object', properties: { id: { type: 'string' }, name: { type: 'string' }, email: { type: 'string' }, domain: { type: 'object' }, type: { enum: ['ephemeral', 'local'] } }, additionalProperties: false },
    group: { type: 'object' },
    groups: { anyOf: [{ type: 'string' }, STRINGS] },
    group_ids: { anyOf: [{ type: 'string' }, STRINGS] },
    domain: { type: 'object' },
    projects: { type: 'array', items: { type: 'object', required: ['name', 'roles'], properties: { name: { type: 'string' }, domain: { type: 'object' }, roles: { type: 'array', items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } } } } } },
  },
}
const REMOTE = {
  type: 'object',
  required: ['type'],
  additionalProperties: false,
  properties: { type: { type: 'string' }, any_one_of: STRINGS, not_any_of: STRINGS, whitelist: STRINGS, blacklist: STRINGS, regex: { type: 'boolean' } },
}
const MAPPING = {
  rules: { type: 'array', minItems: 1, items: { type: 'object', required: ['local', 'remote'], additionalProperties: false, properties: { local: { type: 'array', items: LOCAL }, remote: { type: 'array', minItems: 1, items: REMOTE } } } },
  schema_version: { type: 'string' },
  id: { type: 'string' },
}

function mappingRoutes(house: Keystone): Route[] {
  const { db } = house
  const view = (rq: Rq, row: MappingRow): Row => ({ id: row.id, rules: JSON.parse(row.rules) as unknown, schema_version: row.schema_version, links: { self: v3(rq, `OS-FEDERATION/mappings/${row.id}`) } })
  const find = async (rq: Rq, action: string): Promise<MappingRow> => {
    enforce(rq, action)
    return there(await findRow(db, 'keystone_mappings', { id: rq.params.id! }), 'mapping', rq.params.id!)
  }
  type Ask = { mapping: { rules: unknown; schema_version?: string } }
  return [
    at('GET', `${BASE}/mappings`, 'mappings.list', 200, async (rq) => {
      enforce(rq, 'list_mappings')
      return listReply(rq, 'mappings', (await findRows(db, 'keystone_mappings', {}, 'id')).map((row) => view(rq, row)))
    }),
    at('PUT', `${BASE}/mappings/{id}`, 'mappings.create', 201, async (rq) => {
      enforce(rq, 'create_mapping')
      checked(body('mapping', MAPPING, ['rules']), rq.body)
      const ask = (rq.body as Ask).mapping
      const row: MappingRow = { id: rq.params.id!, rules: JSON.stringify(ask.rules), schema_version: ask.schema_version ?? '1.0' }
      await storing('mapping', `Duplicate ID, ${row.id}`, () => db.transaction((tx) => insertRow(tx, 'keystone_mappings', row)))
      return { json: { mapping: view(rq, row) } }
    }),
    at('GET', `${BASE}/mappings/{id}`, 'mappings.show', 200, async (rq) => ({ json: { mapping: view(rq, await find(rq, 'get_mapping')) } })),
    at('PATCH', `${BASE}/mappings/{id}`, 'mappings.update', 200, async (rq) => {
      const row = await find(rq, 'update_mapping')
      checked(body('mapping', MAPPING), rq.body)
      const ask = (rq.body as Ask).mapping
      const columns = { ...(ask.rules === undefined ? {} : { rules: JSON.stringify(ask.rules) }), ...(ask.schema_version === undefined ? {} : { schema_version: ask.schema_version }) }
      await updateRow(db, 'keystone_mappings', { id: row.id }, columns)
      return { json: { mapping: view(rq, { ...row, ...columns }) } }
    }),
    at('DELETE', `${BASE}/mappings/{id}`, 'mappings.delete', 204, async (rq) => {
      const row = await find(rq, 'delete_mapping')
      await deleteRows(db, 'keystone_mappings', { id: row.id })
      return {}
    }),
  ]
}

function serviceProviderRoutes(house: Keystone): Route[] {
  const { db } = house
  const SP = { auth_url: URL_TEXT, sp_url: URL_TEXT, description: WORDS, enabled: { type: 'boolean' }, relay_state_prefix: { type: ['string', 'null'], maxLength: 255 }, id: { type: 'string' } }
  const view = (rq: Rq, row: ServiceProviderRow): Row => ({ ...row, enabled: row.enabled === 1, links: { self: v3(rq, `OS-FEDERATION/service_providers/${row.id}`) } })
  const find = async (rq: Rq, action: string): Promise<ServiceProviderRow> => {
    enforce(rq, action)
    return there(await findRow(db, 'keystone_service_providers', { id: rq.params.id! }), 'service provider', rq.params.id!)
  }
  type Ask = { service_provider: { auth_url: string; sp_url: string; description?: string | null; enabled?: boolean; relay_state_prefix?: string | null } }
  const path = `${BASE}/service_providers/{id}`
  return [
    at('GET', `${BASE}/service_providers`, 'service_providers.list', 200, async (rq) => {
      enforce(rq, 'list_service_providers')
      const id = rq.query.get('id')
      const rows = (await findRows(db, 'keystone_service_providers', id === null ? {} : { id }, 'id')).filter((row) => !rq.query.has('enabled') || (row.enabled === 1) === flagParam(rq, 'enabled'))
      return listReply(rq, 'service_providers', rows.map((row) => view(rq, row)))
    }),
    at('PUT', path, 'service_providers.create', 201, async (rq) => {
      enforce(rq, 'create_service_provider')
      checked(body('service_provider', SP, ['auth_url', 'sp_url']), rq.body)
      const ask = (rq.body as Ask).service_provider
      const row: ServiceProviderRow = { id: rq.params.id!, auth_url: ask.auth_url, sp_url: ask.sp_url, description: ask.description ?? null, enabled: ask.enabled ? 1 : 0, relay_state_prefix: ask.relay_state_prefix ?? 'ss:mem:' }
      await storing('service_provider', `Duplicate ID, ${row.id}`, () =>
        db.transaction(async (tx) => {
          await insertRow(tx, 'keystone_service_providers', row)
          await house.widen(tx, 'tables')
        }),
      )
      return { json: { service_provider: view(rq, row) } }
    }),
    at('GET', path, 'service_providers.show', 200, async (rq) => ({ json: { service_provider: view(rq, await find(rq, 'get_service_provider')) } })),
    at('PATCH', path, 'service_providers.update', 200, async (rq) => {
      const row = await find(rq, 'update_service_provider')
      const { id: _, ...changeable } = SP
      checked(body('service_provider', changeable), rq.body)
      const { enabled, relay_state_prefix, ...ask } = (rq.body as Ask).service_provider
      const columns = { ...ask, ...(enabled === undefined ? {} : { enabled: enabled ? 1 : 0 }), ...(relay_state_prefix === undefined ? {} : { relay_state_prefix: relay_state_prefix ?? 'ss:mem:' }) }
      await db.transaction(async (tx) => {
        await updateRow(tx, 'keystone_service_providers', { id: row.id }, columns)
        await house.widen(tx, 'tables')
      })
      return { json: { service_provider: view(rq, { ...row, ...columns }) } }
    }),
    at('DELETE', path, 'service_providers.delete', 204, async (rq) => {
      const row = await find(rq, 'delete_service_provider')
      await db.transaction(async (tx) => {
        await deleteRows(tx, 'keystone_service_providers', { id: row.id })
        await house.widen(tx, 'tables')
      })
      return {}
    }),
  ]
}
