/** The query of `GET /servers` as conditions: what each role may ask, and what is ignored or refused at which version. */
import { forbidden, invalid } from '#base/fault.ts'
import type { Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { statesOfStatuses } from '../core/states.ts'
import type { Nova } from '../house.ts'
import type { ServerQuery } from '../store/server-list.ts'
import type { NicInfo, ServerRow } from '../store/tables.ts'
import { instantOf, limitOf } from './paging.ts'
import { isTrue } from './schemas.ts'
import { isAdmin } from './server-steps.ts'

/** Filters that are columns, by their names on the wire. */
const COLUMNS: Readonly<Record<string, keyof ServerRow>> = {
  reservation_id: 'reservation_id', image: 'image_id', image_ref: 'image_id', key_name: 'key_name', availability_zone: 'availability_zone', host: 'host', node: 'node', user_id: 'user_id', uuid: 'id', task_state: 'task_state',
  launch_index: 'launch_index', power_state: 'power_state', progress: 'progress', root_device_name: 'root_device_name', locked_by: 'locked_by', access_ip_v4: 'access_ip_v4', access_ip_v6: 'access_ip_v6',
}
/** Regular expressions. */
const PATTERNS: Readonly<Record<string, keyof ServerRow>> = { name: 'name', display_name: 'name', hostname: 'hostname', description: 'description', display_description: 'description' }
const OTHERS = [
  'ip', 'ip6', 'status', 'flavor', 'changes-since', 'changes-before', 'all_tenants', 'tenant_id', 'project_id', 'tags', 'tags-any', 'not-tags', 'not-tags-any', 'locked', 'deleted', 'soft_deleted', 'vm_state', 'config_drive', 'created_at',
  'launched_at', 'terminated_at', 'auto_disk_config', 'kernel_id', 'ramdisk_id', 'instance_type_id', 'limit', 'marker', 'sort_key', 'sort_dir', 'block_device_mapping', 'services', 'metadata', 'system_metadata', 'info_cache', 'security_groups', 'cell_name',
]
const KNOWN = new Set([...Object.keys(COLUMNS), ...Object.keys(PATTERNS), ...OTHERS])

/** What an ordinary user may filter by. */
const FOR_ALL = new Set(['reservation_id', 'name', 'status', 'image', 'flavor', 'ip', 'changes-since', 'all_tenants'])
const FOR_ALL_283 = ['availability_zone', 'config_drive', 'key_name', 'created_at', 'launched_at', 'terminated_at', 'power_state', 'task_state', 'vm_state', 'progress', 'user_id']

const SORT: Readonly<Record<string, keyof ServerRow>> = {
  access_ip_v4: 'access_ip_v4', access_ip_v6: 'access_ip_v6', auto_disk_config: 'auto_disk_config', availability_zone: 'availability_zone', config_drive: 'config_drive', created_at: 'created_at', display_description: 'description', display_name: 'name',
  host: 'host', hostname: 'hostname', image_ref: 'image_id', instance_type_id: 'flavor_id', key_name: 'key_name', launch_index: 'launch_index', launched_at: 'launched_at', locked_by: 'locked_by', locked: 'locked_by', node: 'node', power_state: 'power_state',
  progress: 'progress', project_id: 'project_id', root_device_name: 'root_device_name', task_state: 'task_state', terminated_at: 'terminated_at', updated_at: 'updated_at', user_id: 'user_id', uuid: 'id', vm_state: 'vm_state', kernel_id: 'id', ramdisk_id: 'id',
}

export function serverQuery(nova: Nova, rq: Rq<unknown>, rule: 'index' | 'detail'): ServerQuery {
  const { query, version } = rq
  if (version >= v('2.75')) {
    const unknown = [...new Set(query.keys())].filter((name) => !KNOWN.has(name))
    if (unknown.length > 0) throw invalid(`Invalid input for query parameters. Additional properties are not allowed (${unknown.map((name) => `'${name.slice(0, 50)}'`).join(', ')} ${unknown.length === 1 ? 'was' : 'were'} unexpected)`, { field: unknown[0]! })
  }
  const asked = new Map([...new Set(query.keys())].map((name) => [name, query.getAll(name)]))
  const admin = rq.allows('os_compute_api:servers:allow_all_filters')
  const allowed = (name: string): boolean =>
    admin ||
    FOR_ALL.has(name) ||
    (name === 'ip6' && version >= v('2.5')) ||
    (/^(not-)?tags(-any)?$/.test(name) && version >= v('2.26')) ||
    (name === 'changes-before' && version >= v('2.66')) ||
    (name === 'locked' && version >= v('2.73')) ||
    (version >= v('2.83') && FOR_ALL_283.includes(name))
  const value = (name: string): string | undefined => (allowed(name) ? asked.get(name)?.at(-1) : undefined)

  const plan: ServerQuery = { deleted: 'live', equal: [], contains: [], matches: [], sort: sortOf(rq), limit: limitOf(query, nova.config.max_limit) }
  const marker = query.get('marker')
  if (marker !== null) plan.marker = marker
  const all = value('all_tenants')
  const everyone = all !== undefined && (all === '' || isTrue(strictBoolean('all_tenants', all)))
  // Another project is asked for together with `all_tenants` only; alone the word is ignored, as Nova does.
  const project = admin && everyone ? (asked.get('project_id') ?? asked.get('tenant_id'))?.at(-1) : undefined
  if (everyone) rq.authorize(`os_compute_api:servers:${rule}:get_all_tenants`)
  if (project !== undefined) plan.project_id = project
  else if (!everyone) plan.project_id = rq.context.project_id ?? ''

  for (const [name, column] of Object.entries(COLUMNS)) {
    const text = value(name)
    if (text === undefined) continue
    const number = ['launch_index', 'power_state', 'progress'].includes(name)
    plan.equal.push({ column, value: text.toLowerCase() === 'none' || (text === '' && name === 'task_state') ? null : number ? Number(text) : text })
  }
  for (const [name, column] of Object.entries(PATTERNS)) {
    const text = value(name)
    if (text !== undefined && text !== '') pattern(plan, column, name, text)
  }
  for (const [name, family] of [['ip', 4], ['ip6', 6]] as const) {
    const text = value(name)
    if (text !== undefined && text !== '') addressPattern(plan, name, family, text)
  }
  const flavor = value('flavor')
  if (flavor !== undefined) plan.flavor_id = flavor.split('/').at(-1)!
  const drive = value('config_drive')
  if (drive !== undefined) plan.equal.push({ column: 'config_drive', value: isTrue(drive) ? 'True' : '' })
  const locked = value('locked')
  if (locked !== undefined) {
    const wanted = isTrue(strictBoolean('locked', locked))
    plan.matches.push((row) => (row.locked_by !== null) === wanted)
  }
  for (const [key, name] of [['tags', 'tags'], ['tags_any', 'tags-any'], ['not_tags', 'not-tags'], ['not_tags_any', 'not-tags-any']] as const) {
    const text = value(name)
    if (text !== undefined && version >= v('2.26')) plan[key] = text.split(',').filter(Boolean)
  }
  for (const name of ['created_at', 'launched_at', 'terminated_at'] as const) {
    const instant = value(name) === undefined ? undefined : instantOf(query, name)
    if (instant !== undefined) plan.matches.push((row) => row[name] !== null && Math.floor(row[name] / 1_000) === Math.floor(instant / 1_000))
  }
  states(rq, plan, asked, value)
  return plan
}

function states(rq: Rq<unknown>, plan: ServerQuery, asked: ReadonlyMap<string, string[]>, value: (name: string) => string | undefined): void {
  const { query, version } = rq
  const since = instantOf(query, 'changes-since')
  const before = version >= v('2.66') ? instantOf(query, 'changes-before') : undefined
  if (since !== undefined && before !== undefined && since > before) throw invalid('The value of changes-since must be less than or equal to changes-before.', { field: 'changes-since' })
  if (since !== undefined) plan.updated_since = since
  if (before !== undefined) plan.updated_before = before
  // Who asks what changed wants to hear what is gone, too.
  if (since !== undefined || before !== undefined) plan.deleted = 'both'
  const deleted = value('deleted')
  if (deleted !== undefined) plan.deleted = isTrue(deleted) ? 'deleted' : 'live'
  const vm = value('vm_state')
  const statuses = asked.get('status')?.filter(Boolean) ?? []
  if (statuses.length > 0) {
    const { vm_states, exact } = statesOfStatuses(statuses)
    if (vm_states.length === 0 && version >= v('2.38')) throw invalid('Invalid status value', { field: 'status' })
    if (vm_states.includes('deleted') && vm_states.length === 1) {
      if (!isAdmin(rq)) throw forbidden('Only administrators may list deleted instances')
      plan.deleted = 'deleted'
    }
    plan.vm_states = vm_states
    plan.matches.push(exact)
  } else if (vm !== undefined) plan.vm_states = [vm]
  else if (plan.deleted === 'live' && !isTrue(value('soft_deleted'))) plan.without_vm_states = ['soft-delete']
}

function strictBoolean(name: string, text: string): string {
  if (!/^(1|t|true|on|y|yes|0|f|false|off|n|no)$/i.test(text)) {
    throw invalid(`Invalid value '${text.slice(0, 50)}' for ${name}. Unrecognized value '${text.slice(0, 50)}', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'`, { field: name })
  }
  return text
}

/** A plain word is looked for by the database; anything more by the expression itself. */
function pattern(plan: ServerQuery, column: keyof ServerRow, name: string, text: string): void {
  if (/^[\w -]+$/.test(text)) {
    plan.contains.push({ column, text })
    return
  }
  const expression = expressionOf(name, text)
  plan.matches.push((row) => expression.test(String(row[column] ?? '')))
}

function addressPattern(plan: ServerQuery, name: string, family: 4 | 6, text: string): void {
  const expression = expressionOf(name, text)
  plan.matches.push((row) => (JSON.parse(row.network_info) as NicInfo[]).some((nic) => nic.fixed_ips.some((one) => (one.version === family && expression.test(one.ip)) || (family === 4 && one.floating?.some((ip) => expression.test(ip))))))
}

/** Bounded, so that nobody can make the server think for hours over one name. */
function expressionOf(name: string, text: string): RegExp {
  if (text.length > 255 || /\([^)]*[+*][^)]*\)[+*{]/.test(text)) throw invalid(`Invalid input for query parameters ${name}: the expression is too complex.`, { field: name })
  try {
    return new RegExp(text, 'i')
  } catch {
    throw invalid(`Invalid input for query parameters ${name}. Value: ${text}. '${text}' is not a 'regex'`, { field: name })
  }
}

function sortOf(rq: Rq<unknown>): ServerQuery['sort'] {
  const keys = rq.query.getAll('sort_key')
  const dirs = rq.query.getAll('sort_dir')
  const sort: ServerQuery['sort'] = keys.map((key, i) => {
    const column = Object.hasOwn(SORT, key) && (key !== 'locked' || rq.version >= v('2.73')) ? SORT[key] : undefined
    if (column === undefined) throw invalid(`Invalid input for query parameters sort_key. Value: ${key.slice(0, 50)}. '${key.slice(0, 50)}' is not one of the allowed sort keys`, { field: 'sort_key' })
    const dir = dirs[i] ?? dirs.at(-1) ?? 'desc'
    if (dir !== 'asc' && dir !== 'desc') throw invalid(`Invalid input for query parameters sort_dir. Value: ${dir.slice(0, 50)}. '${dir.slice(0, 50)}' is not one of ['asc', 'desc']`, { field: 'sort_dir' })
    return { column, dir }
  })
  const dir = sort.at(-1)?.dir ?? (dirs[0] === 'asc' ? 'asc' : 'desc')
  if (sort.length === 0) sort.push({ column: 'created_at', dir })
  if (!sort.some((one) => one.column === 'id')) sort.push({ column: 'id', dir })
  return sort
}
