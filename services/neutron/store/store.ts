/**
 * The tables of this house as things to ask: rows by what their columns hold. A list of values means any of them, null means none,
 * `but(value)` means anything else. Whatever needs more than that has a name of its own in the file of its noun.
 */
import { Fault } from '#base/fault.ts'
import type { ExpressionBuilder, Kysely } from 'kysely'
import type { AnyTables } from './rows.ts'
import type { Q, Tables } from './tables.ts'

const BUT = Symbol('but')

interface But<Value> {
  readonly [BUT]: Value | readonly Value[]
}

/** Anything but this; of a list, but any of these. */
export const but = <Value>(value: Value | readonly Value[]): But<Value> => ({ [BUT]: value })

export type Match<Row> = { readonly [Key in keyof Row]?: Row[Key] | readonly Row[Key][] | But<Row[Key]> }

export interface Table<Row> {
  one(db: Q, match: Match<Row>): Promise<Row | undefined>
  one<Key extends keyof Row>(db: Q, match: Match<Row>, columns: readonly Key[]): Promise<Pick<Row, Key> | undefined>
  all(db: Q, match: Match<Row>): Promise<Row[]>
  all<Key extends keyof Row>(db: Q, match: Match<Row>, columns: readonly Key[]): Promise<Pick<Row, Key>[]>
  has(db: Q, match: Match<Row>): Promise<boolean>
  add(db: Q, rows: Row | readonly Row[]): Promise<void>
  /** How many rows there were to change. */
  change(db: Q, match: Match<Row>, patch: Partial<Row>): Promise<number>
  /** How many rows are gone. */
  drop(db: Q, match: Match<Row>): Promise<number>
}

type Conditions = [column: string, value: unknown][]

function condition(eb: ExpressionBuilder<AnyTables, string>, column: string, value: unknown) {
  const negated = typeof value === 'object' && value !== null && BUT in value
  const wanted = negated ? (value as But<unknown>)[BUT] : value
  if (wanted === null) return eb(column, negated ? 'is not' : 'is', null)
  if (!Array.isArray(wanted)) return eb(column, negated ? '!=' : '=', wanted as never)
  if (wanted.length === 1) return eb(column, negated ? '!=' : '=', wanted[0] as never)
  return eb(column, negated ? 'not in' : 'in', wanted as never)
}

function conditionsOf(match: object): Conditions | undefined {
  const conditions = Object.entries(match) as Conditions
  // Any of nothing: no row. All but nothing: no condition.
  if (conditions.some(([, value]) => Array.isArray(value) && value.length === 0)) return undefined
  return conditions.filter(([, value]) => !(typeof value === 'object' && value !== null && BUT in value && Array.isArray(value[BUT]) && value[BUT].length === 0))
}

function tableOf<Name extends keyof Tables>(name: Name): Table<Tables[Name]> {
  const any = (db: Q): Kysely<AnyTables> => db.query as unknown as Kysely<AnyTables>
  const select = (db: Q, conditions: Conditions, columns: readonly string[] | undefined) => {
    const from = any(db).selectFrom(name as string)
    let query = columns ? from.select(columns as string[]) : from.selectAll()
    for (const [column, value] of conditions) query = query.where((eb) => condition(eb, column, value))
    return query
  }
  const table = {
    async one(db: Q, match: object, columns?: readonly string[]) {
      const conditions = conditionsOf(match)
      return conditions && select(db, conditions, columns).limit(1).executeTakeFirst()
    },
    async all(db: Q, match: object, columns?: readonly string[]) {
      const conditions = conditionsOf(match)
      return conditions ? select(db, conditions, columns).execute() : []
    },
    async has(db: Q, match: object) {
      return (await table.one(db, match, [Object.keys(match)[0]!])) !== undefined
    },
    async add(db: Q, rows: object | readonly object[]) {
      if (Array.isArray(rows) && rows.length === 0) return
      await any(db).insertInto(name as string).values(rows as never).execute()
    },
    async change(db: Q, match: object, patch: object) {
      const conditions = conditionsOf(match)
      if (!conditions) return 0
      let query = any(db).updateTable(name as string).set(patch as never)
      for (const [column, value] of conditions) query = query.where((eb) => condition(eb as never, column, value))
      return Number((await query.executeTakeFirst()).numUpdatedRows)
    },
    async drop(db: Q, match: object) {
      const conditions = conditionsOf(match)
      if (!conditions) return 0
      let query = any(db).deleteFrom(name as string)
      for (const [column, value] of conditions) query = query.where((eb) => condition(eb as never, column, value))
      return Number((await query.executeTakeFirst()).numDeletedRows)
    },
  }
  return table as unknown as Table<Tables[Name]>
}

export const store = {
  networks: tableOf('neutron_networks'),
  segments: tableOf('neutron_segments'),
  segmentRanges: tableOf('neutron_segment_ranges'),
  subnets: tableOf('neutron_subnets'),
  subnetpools: tableOf('neutron_subnetpools'),
  addressScopes: tableOf('neutron_address_scopes'),
  addressGroups: tableOf('neutron_address_groups'),
  ports: tableOf('neutron_ports'),
  allocations: tableOf('neutron_ip_allocations'),
  portGroups: tableOf('neutron_port_security_groups'),
  portBindings: tableOf('neutron_port_bindings'),
  routers: tableOf('neutron_routers'),
  routerPorts: tableOf('neutron_router_ports'),
  floatingIps: tableOf('neutron_floatingips'),
  forwardings: tableOf('neutron_port_forwardings'),
  helpers: tableOf('neutron_conntrack_helpers'),
  ndpProxies: tableOf('neutron_ndp_proxies'),
  localIps: tableOf('neutron_local_ips'),
  localIpLinks: tableOf('neutron_local_ip_associations'),
  groups: tableOf('neutron_security_groups'),
  defaultGroups: tableOf('neutron_default_groups'),
  groupRules: tableOf('neutron_security_group_rules'),
  defaultRules: tableOf('neutron_default_sg_rules'),
  statefulness: tableOf('neutron_sg_statefulness'),
  qosPolicies: tableOf('neutron_qos_policies'),
  qosRules: tableOf('neutron_qos_rules'),
  rbac: tableOf('neutron_rbac_policies'),
  quotas: tableOf('neutron_quotas'),
  agents: tableOf('neutron_agents'),
  dhcpNetworks: tableOf('neutron_dhcp_networks'),
  l3Routers: tableOf('neutron_l3_routers'),
  trunks: tableOf('neutron_trunks'),
  subports: tableOf('neutron_subports'),
  topologies: tableOf('neutron_auto_topologies'),
  meteringRules: tableOf('neutron_metering_rules'),
  logs: tableOf('neutron_logs'),
} as const

/** A row that the one before it promised: its absence is a fault of ours. */
export function there<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Fault('internal', 'A row that another one names is not there')
  return row
}
