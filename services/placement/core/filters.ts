/** What query parameters say: amounts, traits, aggregates, trees. Each throws `invalid` naming the parameter. */
import { invalid } from '#base/fault.ts'
import { isUuidLike } from '#base/ids.ts'
import { type ApiVersion, v } from '#stack/version.ts'
import type { Resources } from '../contract/allocations.ts'
import { dashed } from '../contract/names.ts'

/** `VCPU:2,MEMORY_MB:1024` */
export function parseResources(text: string, field = 'resources'): Resources {
  const form = 'Badly formed resources parameter. Expected resources query string parameter in form: ?resources=VCPU:2,MEMORY_MB:1024.'
  if (text.trim() === '') throw invalid(`${form} Got: empty string.`, { field })
  const out: Resources = {}
  for (const part of text.split(',')) {
    const [name, amount, ...rest] = part.split(':')
    if (amount === undefined || rest.length > 0) throw invalid(`${form} Got: ${part}.`, { field })
    if (!/^\s*[+-]?\d+\s*$/.test(amount)) throw invalid(`Requested resource ${name} expected positive integer amount. Got: ${amount}.`, { field })
    if (Number(amount) < 1) throw invalid(`Requested resource ${name} requires amount >= 1. Got: ${Number(amount)}.`, { field })
    out[name!] = Number(amount)
  }
  return out
}

export interface TraitFilter {
  /** One of each inner list. */
  required: string[][]
  forbidden: string[]
}

/** `A,B`, from 1.22 `!A`, from 1.39 `in:A,B` and repeated; before that the last of repeated ones counts. */
export function parseTraits(given: readonly string[], version: ApiVersion, field = 'required'): TraitFilter {
  const anyTraits = version >= v('1.39')
  const out: TraitFilter = { required: [], forbidden: [] }
  for (const text of anyTraits ? given : given.slice(-1)) {
    const one = parseTraitList(text, version, field)
    out.required.push(...one.required)
    out.forbidden.push(...one.forbidden)
  }
  return out
}

function parseTraitList(text: string, version: ApiVersion, field: string): TraitFilter {
  const fail = (why: string): never => {
    throw invalid(`Invalid query string parameters: ${why}`, { field })
  }
  const mayForbid = version >= v('1.22')
  if (text.startsWith('in:')) {
    if (version < v('1.39')) fail(`The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' only supported since microversion 1.39. Got: ${text}`)
    const names = text.slice(3).split(',').map((name) => name.trim())
    if (names.includes('')) fail(`Expected 'required' parameter value of the form: in:HW_CPU_X86_VMX,CUSTOM_MAGIC. Got an empty trait in: ${text}`)
    if (names.some((name) => name.startsWith('!'))) fail(`The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' does not support forbidden traits. Got: ${text}`)
    return { required: [names], forbidden: [] }
  }
  const names = text.split(',').map((name) => name.trim())
  const forbidden = names.filter((name) => name.startsWith('!')).map((name) => name.replace(/^!+/, ''))
  const form = `Expected 'required' parameter value of the form: ${mayForbid ? 'HW_CPU_X86_VMX,!CUSTOM_MAGIC' : 'HW_CPU_X86_VMX,CUSTOM_MAGIC'}.`
  if (names.includes('') || forbidden.includes('')) fail(`${form} Got an empty trait in: ${text}`)
  if (forbidden.length > 0 && !mayForbid) fail(`${form} Got: ${text}`)
  return { required: names.filter((name) => !name.startsWith('!')).map((name) => [name]), forbidden }
}

/** `root_required=A,!B`: one parameter, no `in:`. */
export function parseRootTraits(text: string): TraitFilter {
  return parseTraitList(text, v('1.38'), 'root_required')
}

export interface AggregateFilter {
  /** One of each inner list. */
  member_of: string[][]
  forbidden: string[]
}

/** `<uuid>` or `in:<uuid>,<uuid>`; from 1.24 repeated, from 1.32 with `!`. */
export function parseMemberOf(given: readonly string[], version: ApiVersion, field = 'member_of'): AggregateFilter {
  if (given.length > 1 && version < v('1.24')) throw invalid(`Multiple ${field} parameters are not supported`, { field })
  const out: AggregateFilter = { member_of: [], forbidden: [] }
  for (const text of given) {
    const forbids = text.startsWith('!')
    const rest = forbids ? text.slice(1) : text
    const listed = rest.startsWith('in:')
    if (rest.includes(',') && !listed) throw invalid(`Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the valid microversion. Got: ${text}`, { field })
    const uuids = listed ? rest.slice(3).split(',') : [rest]
    for (const uuid of uuids) {
      if (!isUuidLike(uuid)) throw invalid(`Invalid query string parameters: Expected 'member_of' parameter to contain valid UUID(s). Got: ${uuid}`, { field })
    }
    if (forbids && version < v('1.32')) throw invalid(`Forbidden ${field} parameters are not supported in the specified microversion`, { field })
    const known = uuids.map(dashed)
    if (forbids) out.forbidden.push(...known)
    else out.member_of.push(known)
  }
  return out
}

export function parseInTree(text: string, field = 'in_tree'): string {
  const uuid = text.trim()
  if (!isUuidLike(uuid)) throw invalid(`Invalid query string parameters: Expected 'in_tree' parameter to be a format of uuid. Got: ${text}`, { field })
  return dashed(uuid)
}
