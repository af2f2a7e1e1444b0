/** `/v2.0/subnetpools`, `/v2.0/address-scopes`, `/v2.0/address-groups` */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { boolFromString } from '#stack/resource/field.ts'
import { compact, formatCidr, overlap, parseCidr, parseIp, within } from '#neutron/core/address.ts'
import { envelope, takeValue, toColumns, type Values } from '#neutron/core/body.ts'
import { freeBlocks } from '#neutron/core/pool-cutting.ts'
import { addressGroup, addressScope, subnetpool } from '#neutron/core/nouns/subnet.ts'
import type { Noun } from '#neutron/core/noun.ts'
import { setShared, shareWithAll } from '#neutron/flows/sharing.ts'
import { checkScope, poolFacts } from '#neutron/flows/subnetpools.ts'
import { born, changed } from '#neutron/flows/standard.ts'
import type { Neutron } from '#neutron/house.ts'
import { spend } from '#neutron/store/quotas.ts'
import { removeRbacOf } from '#neutron/store/rbac.ts'
import { changeRow, insertRow, removeRow } from '#neutron/store/rows.ts'
import type { Row, SubnetpoolRow, T } from '#neutron/store/tables.ts'
import { anyOf, not, owned, sharedVia, sharedWith } from '#neutron/store/where.ts'
import { actorOf } from './actor.ts'
import { type Desk, readRoutes, rowReply } from './desk.ts'
import { isShared, sharedTarget } from './lens.ts'
import { networkSeen } from './subnets.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'
import { but, store } from '#neutron/store/store.ts'

/** Reading of a noun that can be shared by RBAC. */
export function sharedDesk(noun: Noun, compute?: Desk['compute']): Desk {
  const type = noun.rbac!
  return {
    noun,
    visible: (actor) => (actor.admin ? undefined : anyOf(owned(actor.project), sharedWith(type, actor.project))),
    targets: async (_house, _db, _rows, actor) => sharedTarget(actor.project),
    filters: {
      shared: (values, rq) => {
        const via = sharedVia(type, actorOf(rq).project, 'access_as_shared')
        return boolFromString(values.at(-1)!) === false ? not(via) : via
      },
    },
    compute: compute ?? (async (_house, _db, _rows, actor) => (row) => ({ shared: isShared(row, actor.project) })),
  }
}

/** Lengths go out as text, as Neutron's do. */
export const poolDesk = sharedDesk(subnetpool, async (_house, _db, _rows, actor) => (row) => ({
  shared: isShared(row, actor.project),
  min_prefixlen: String(row.min_prefixlen),
  max_prefixlen: String(row.max_prefixlen),
  default_prefixlen: String(row.default_prefixlen),
}))
export const scopeDesk = sharedDesk(addressScope)
export const addressGroupDesk = sharedDesk(addressGroup)

export function subnetpoolRoutes(house: Neutron): Route[] {
  const verb = (name: string, change: (tx: T, rq: Rq, row: SubnetpoolRow) => Promise<Reply>): Route =>
    route({
      method: 'PUT',
      path: `${subnetpool.path}/{id}/${name}`,
      name: `subnetpools.${name}`,
      status: 200,
      handle: (rq) =>
        house.db.transaction(async (tx) => {
          const row = (await rowToChange(tx, { desk: poolDesk, house, rq, id: rq.params.id!, rules: [name] })) as unknown as SubnetpoolRow
          return change(tx, rq, row)
        }),
    })
  const setPrefixes = async (tx: T, row: SubnetpoolRow, prefixes: string[]): Promise<void> => {
    await changeRow(tx as never, subnetpool.table, row.id, { prefixes: JSON.stringify(prefixes), ...changed(house, row as never) })
  }
  const sent = (rq: Rq): string[] => takeValue('prefixes', subnetpool.fields.prefixes!, (rq.body as Values | undefined)?.prefixes) as string[]
  return [
    ...readRoutes(poolDesk, house),
    route({ method: 'POST', path: subnetpool.path, name: 'subnetpools.create', status: 201, handle: (rq) => createPool(house, rq) }),
    route({ method: 'PUT', path: `${subnetpool.path}/{id}`, name: 'subnetpools.update', status: 200, handle: (rq) => updatePool(house, rq) }),
    route({
      method: 'DELETE',
      path: `${subnetpool.path}/{id}`,
      name: 'subnetpools.delete',
      status: 204,
      handle: async (rq) => {
        await house.db.transaction(async (tx) => {
          const row = await rowToChange(tx, { desk: poolDesk, house, rq, id: rq.params.id!, rules: ['delete_subnetpool'] })
          const used = await store.subnets.one(tx, { subnetpool_id: row.id as string }, ['id'])
          if (used) throw conflict(`Unable to delete subnet pool: Subnet pool has existing allocations.`, { code: 'SubnetPoolDeleteError' })
          await removeRbacOf(tx, 'subnetpool', row.id as string)
          await removeRow(tx as never, subnetpool.table, row.id as string)
        })
        return {}
      },
    }),
    verb('add_prefixes', async (tx, rq, row) => {
      const facts = poolFacts([...(JSON.parse(row.prefixes) as string[]), ...sent(rq)], {}, row)
      if (facts.ip_version !== row.ip_version) throw invalid('Cannot mix IPv4 and IPv6 prefixes in a subnet pool.', { code: 'PrefixVersionMismatch' })
      if (row.address_scope_id) await checkScope(tx, row.address_scope_id, { ...row, prefixes: facts.prefixes, shared: false }, actorOf(rq).admin)
      await setPrefixes(tx, row, facts.prefixes)
      return { json: { prefixes: facts.prefixes } }
    }),
    verb('remove_prefixes', async (tx, rq, row) => {
      const leaving = sent(rq).map((one) => parseCidr(one)!)
      const before = (JSON.parse(row.prefixes) as string[]).map((one) => parseCidr(one)!)
      const prefixes = compact(freeBlocks(before, leaving)).map(formatCidr)
      const used = await store.subnets.all(tx, { subnetpool_id: row.id }, ['cidr'])
      if (used.some((one) => leaving.some((gone) => overlap(gone, parseCidr(one.cidr)!)))) throw conflict(`One or more removed prefixes are in use by subnets of pool ${row.id}.`, { code: 'IllegalSubnetPoolPrefixUpdate' })
      await setPrefixes(tx, row, prefixes)
      return { json: { prefixes } }
    }),
    verb('onboard_network_subnets', async (tx, rq, row) => {
      const id = (rq.body as Values | undefined)?.network_id
      if (typeof id !== 'string') throw invalid('network_id is required', { code: 'HTTPBadRequest', field: 'network_id' })
      const network = await networkSeen(tx, actorOf(rq), id)
      const subnets = (await store.subnets.all(tx, { network_id: network.id })).filter((one) => one.ip_version === row.ip_version)
      if (subnets.length === 0) return { json: { subnets: [] } }
      if (subnets.some((one) => one.subnetpool_id !== null)) throw conflict(`Subnets of network ${network.id} are allocated from a subnet pool already.`, { code: 'IllegalSubnetPoolUpdate' })
      const pooled = await store.subnets.all(tx, { subnetpool_id: row.id }, ['cidr'])
      const prefixes = poolFacts([...(JSON.parse(row.prefixes) as string[]), ...subnets.map((one) => one.cidr)], {}, row).prefixes
      if (subnets.some((one) => pooled.some((other) => overlap(parseCidr(one.cidr)!, parseCidr(other.cidr)!)))) throw conflict('A subnet to onboard overlaps with one of the pool.', { code: 'IllegalSubnetPoolUpdate' })
      await setPrefixes(tx, row, prefixes)
      await store.subnets.change(tx, { id: subnets.map((one) => one.id) }, { subnetpool_id: row.id })
      return { json: { subnets: subnets.map((one) => ({ id: one.id, cidr: one.cidr })) } }
    }),
  ]
}

async function onlyDefaultPool(tx: T, version: number, id: string): Promise<void> {
  const other = await store.subnetpools.one(tx, { is_default: 1, ip_version: version as 4, id: but(id) }, ['id'])
  if (other) throw invalid(`Invalid input for operation: A default subnetpool for this IP family has already been set. Only one default may exist per IP family.`, { code: 'InvalidInput', field: 'is_default' })
}

async function createPool(house: Neutron, rq: Rq): Promise<Reply> {
  const item = createWish(subnetpool, rq, { bulk: false }).items[0]!
  demandCreate(subnetpool, rq, item)
  const { values } = item
  const row = await house.db.transaction(async (tx) => {
    await spend(tx, values.project_id as string, { subnetpool: 1 }, house.quotas)
    const facts = poolFacts(values.prefixes as string[], { min: values.min_prefixlen as number | undefined, max: values.max_prefixlen as number | undefined, default: values.default_prefixlen as number | undefined })
    const id = house.world.random.uuid()
    if (values.is_default === true) await onlyDefaultPool(tx, facts.ip_version, id)
    const made = {
      ...toColumns(subnetpool, values),
      ...facts,
      prefixes: JSON.stringify(facts.prefixes),
      id,
      default_quota: values.default_quota ?? null,
      address_scope_id: values.address_scope_id ?? null,
      shared_with: values.shared === true ? '["*"]' : '[]',
      tags: '[]',
      ...born(house),
    } as unknown as SubnetpoolRow
    if (made.address_scope_id) await checkScope(tx, made.address_scope_id, { ...made, prefixes: facts.prefixes, shared: values.shared === true }, actorOf(rq).admin)
    await insertRow(tx as never, subnetpool.table, made as never)
    if (values.shared === true) await shareWithAll(house, tx, 'subnetpool', made)
    return made
  })
  return rowReply(poolDesk, house, rq, row as never)
}

async function updatePool(house: Neutron, rq: Rq): Promise<Reply> {
  const given = updateWish(subnetpool, rq)
  const { values } = given
  const row = await house.db.transaction(async (tx) => {
    const before = (await rowToChange(tx, { desk: poolDesk, house, rq, id: rq.params.id!, rules: rulesOf(subnetpool, 'update', given), values })) as unknown as SubnetpoolRow
    const old = JSON.parse(before.prefixes) as string[]
    const facts = poolFacts((values.prefixes as string[] | undefined) ?? old, { min: values.min_prefixlen as number | undefined, max: values.max_prefixlen as number | undefined, default: values.default_prefixlen as number | undefined }, before)
    const illegal = (text: string): never => {
      throw invalid(`Illegal subnetpool update : ${text}.`, { code: 'IllegalSubnetPoolUpdate' })
    }
    if (facts.ip_version !== before.ip_version) throw invalid('Cannot mix IPv4 and IPv6 prefixes in a subnet pool.', { code: 'PrefixVersionMismatch' })
    const now = facts.prefixes.map((one) => parseCidr(one)!)
    if (values.prefixes && old.some((one) => !now.some((other) => within(parseCidr(one)!, other)))) illegal('Existing prefixes must be a subset of the new prefixes')
    if (values.is_default === true) await onlyDefaultPool(tx, before.ip_version, before.id)
    if (values.prefixes && before.address_scope_id && !actorOf(rq).admin && !(await store.addressScopes.has(tx, { id: before.address_scope_id, project_id: actorOf(rq).project ?? '' }))) illegal('its address scope belongs to another project')
    const scope = values.address_scope_id === undefined ? before.address_scope_id : (values.address_scope_id as string | null)
    if (scope && (scope !== before.address_scope_id || values.prefixes)) await checkScope(tx, scope, { ...before, prefixes: facts.prefixes, shared: false }, actorOf(rq).admin)
    const next = { ...before, ...toColumns(subnetpool, values), ...facts, prefixes: JSON.stringify(facts.prefixes), ...changed(house, before as never) } as SubnetpoolRow
    await changeRow(tx as never, subnetpool.table, before.id, next as never)
    return next
  })
  return rowReply(poolDesk, house, rq, row as never)
}

/** Scopes: pools whose addresses do not overlap. */
export function addressScopeRoutes(house: Neutron): Route[] {
  return [
    ...readRoutes(scopeDesk, house),
    route({
      method: 'POST',
      path: addressScope.path,
      name: 'address_scopes.create',
      status: 201,
      handle: async (rq) => {
        const item = createWish(addressScope, rq, { bulk: false }).items[0]!
        demandCreate(addressScope, rq, item)
        const row = await house.db.transaction(async (tx) => {
          const shared = item.values.shared === true
          const made = { ...toColumns(addressScope, item.values), id: house.world.random.uuid(), shared_with: shared ? '["*"]' : '[]' } as unknown as Row & { id: string; project_id: string }
          await insertRow(tx as never, addressScope.table, made)
          if (shared) await shareWithAll(house, tx, 'address_scope', made)
          return made
        })
        return rowReply(scopeDesk, house, rq, row)
      },
    }),
    route({
      method: 'PUT',
      path: `${addressScope.path}/{id}`,
      name: 'address_scopes.update',
      status: 200,
      handle: async (rq) => {
        const given = updateWish(addressScope, rq)
        const row = await house.db.transaction(async (tx) => {
          const before = (await rowToChange(tx, { desk: scopeDesk, house, rq, id: rq.params.id!, rules: rulesOf(addressScope, 'update', given), values: given.values })) as Row & { id: string; project_id: string; shared_with: string }
          const next = { ...before, ...toColumns(addressScope, given.values) }
          if (given.values.shared === false && before.shared_with !== '[]') throw invalid(`Unable to update address scope ${before.id} : Shared address scope can't be unshared.`, { code: 'AddressScopeUpdateError' })
          await changeRow(tx as never, addressScope.table, before.id, next)
          if (given.values.shared === true) next.shared_with = await setShared(house, tx, 'address_scope', before, true)
          return next
        })
        return rowReply(scopeDesk, house, rq, row)
      },
    }),
    route({
      method: 'DELETE',
      path: `${addressScope.path}/{id}`,
      name: 'address_scopes.delete',
      status: 204,
      handle: async (rq) => {
        await house.db.transaction(async (tx) => {
          const row = await rowToChange(tx, { desk: scopeDesk, house, rq, id: rq.params.id!, rules: ['delete_address_scope'] })
          const used = await store.subnetpools.one(tx, { address_scope_id: row.id as string }, ['id'])
          if (used) throw conflict(`Unable to complete operation on address scope ${String(row.id)}. There are one or more subnet pools in use on the address scope`, { code: 'AddressScopeInUse' })
          await removeRbacOf(tx, 'address_scope', row.id as string)
          await removeRow(tx as never, addressScope.table, row.id as string)
        })
        return {}
      },
    }),
  ]
}

/** Lists of prefixes that security group rules may name. */
export function addressGroupRoutes(house: Neutron): Route[] {
  const path = `${addressGroup.path}/{id}`
  const members = (rq: Rq, read: (one: unknown) => unknown = (one) => one): string[] => {
    const sent = envelopeOf(rq).addresses
    return takeValue('addresses', addressGroup.fields.addresses!, Array.isArray(sent) ? sent.map(read) : (sent ?? null)) as string[]
  }
  const change = (rq: Rq, rule: string, next: (before: string[]) => string[]): Promise<Row> =>
    house.db.transaction(async (tx) => {
      const row = await rowToChange(tx, { desk: addressGroupDesk, house, rq, id: rq.params.id!, rules: [rule] })
      const after: Row = { ...row, addresses: JSON.stringify(next(JSON.parse(row.addresses as string) as string[])), ...changed(house, row) }
      await changeRow(tx as never, addressGroup.table, row.id as string, after)
      house.notices.changed(tx, { sets: [row.id as string] })
      return after
    })
  return [
    ...readRoutes(addressGroupDesk, house),
    route({
      method: 'POST',
      path: addressGroup.path,
      name: 'address_groups.create',
      status: 201,
      handle: async (rq) => {
        const item = createWish(addressGroup, rq, { bulk: false }).items[0]!
        demandCreate(addressGroup, rq, item)
        const addresses = [...new Set((item.values.addresses as string[] | undefined) ?? [])]
        const row = { ...toColumns(addressGroup, item.values), addresses: JSON.stringify(addresses), id: house.world.random.uuid(), shared_with: '[]', ...born(house) }
        await insertRow(house.db as never, addressGroup.table, row)
        return rowReply(addressGroupDesk, house, rq, row)
      },
    }),
    route({
      method: 'PUT',
      path,
      name: 'address_groups.update',
      status: 200,
      handle: async (rq) => {
        const given = updateWish(addressGroup, rq)
        const row = await house.db.transaction(async (tx) => {
          const before = await rowToChange(tx, { desk: addressGroupDesk, house, rq, id: rq.params.id!, rules: rulesOf(addressGroup, 'update', given), values: given.values })
          const next = { ...before, ...toColumns(addressGroup, given.values), ...changed(house, before) }
          await changeRow(tx as never, addressGroup.table, before.id as string, next)
          return next
        })
        return rowReply(addressGroupDesk, house, rq, row)
      },
    }),
    route({
      method: 'DELETE',
      path,
      name: 'address_groups.delete',
      status: 204,
      handle: async (rq) => {
        await house.db.transaction(async (tx) => {
          const row = await rowToChange(tx, { desk: addressGroupDesk, house, rq, id: rq.params.id!, rules: ['delete_address_group'] })
          const used = await store.groupRules.all(tx, { remote_address_group_id: row.id as string }, ['id'])
          if (used.length > 0) throw conflict(`Address group ${String(row.id)} is in use on one or more security group rules.`, { code: 'AddressGroupInUse' })
          await removeRbacOf(tx, 'address_group', row.id as string)
          await removeRow(tx as never, addressGroup.table, row.id as string)
        })
        return {}
      },
    }),
    route({
      method: 'PUT',
      path: `${path}/add_addresses`,
      name: 'address_groups.add_addresses',
      status: 200,
      handle: async (rq) => {
        const added = members(rq)
        return rowReply(addressGroupDesk, house, rq, await change(rq, 'add_addresses', (before) => [...new Set([...before, ...added])]))
      },
    }),
    route({
      method: 'PUT',
      path: `${path}/remove_addresses`,
      name: 'address_groups.remove_addresses',
      status: 200,
      handle: async (rq) => {
        const gone = members(rq, (one) => (typeof one === 'string' && parseIp(one) ? formatCidr(parseCidr(one)!) : one))
        return rowReply(
          addressGroupDesk,
          house,
          rq,
          await change(rq, 'remove_addresses', (before) => {
            const absent = gone.filter((one) => !before.includes(one))
            if (absent.length > 0) throw notFound(`Addresses ${absent.join(', ')} not found in the address group.`, { code: 'AddressesNotFound' })
            return before.filter((one) => !gone.includes(one))
          }),
        )
      },
    }),
  ]
}

/** The verbs take `{"address_group": {"addresses": […]}}` and the bare object. */
function envelopeOf(rq: Rq): Values {
  const body = rq.body as Values | undefined
  return body && 'addresses' in body ? body : envelope(addressGroup, rq.body, false).items[0]!
}
