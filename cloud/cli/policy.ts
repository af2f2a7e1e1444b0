/** `ondol policy`: the rules in force, why one refuses, and the defaults to begin a policy.yaml with. */
import { invalid } from '#base/fault.ts'
import { houses } from '../houses.ts'
import type { ServiceExplanation, ServiceRule } from '../policy.ts'
import { ask, placeOf } from './place.ts'
import { paint, table } from './table.ts'

export interface PolicyOptions {
  data?: string
  as?: string
  on?: string
  onDomain?: string
  onSystem?: boolean
  domain?: string
  target?: string[]
  service?: string
  json?: boolean
}

export async function policy(verb: string, rule: string | undefined, options: PolicyOptions): Promise<void> {
  if (verb === 'explain') return explain(rule, options)
  if (verb === 'list') return list(rule, options)
  if (verb === 'defaults') return defaults(options)
  throw invalid(`Unknown verb '${verb}'. There are: explain, list, defaults.`)
}

async function explain(rule: string | undefined, options: PolicyOptions): Promise<void> {
  if (!rule) throw invalid('Say which rule: ./ondol policy explain --as USER --on PROJECT identity:create_user')
  const query = new URLSearchParams({ rule })
  for (const [key, value] of Object.entries({ as: options.as, on: options.on, on_domain: options.onDomain, on_system: options.onSystem ? '1' : undefined, domain: options.domain, service: options.service })) if (value !== undefined) query.set(key, value)
  for (const pair of options.target ?? []) query.append('target', pair)
  const answer = (await ask(placeOf(options.data), 'GET', '/policy/explain', query.toString())) as ServiceExplanation
  process.stdout.write(options.json ? `${JSON.stringify(answer, null, 1)}\n` : told(answer))
}

function told(answer: ServiceExplanation): string {
  const lines = [
    `${answer.allowed ? paint('green', 'allowed') : paint('red', 'refused')}  ${answer.rule} (${answer.service}): ${answer.message}.`,
    `  has the roles   ${answer.roles.join(', ') || 'none'}`,
    ...(answer.check_str === undefined ? [] : [`  the rule says   ${answer.check_str}`]),
    ...answer.failed.map(({ check, rule, why }) => `  failed          ${check}  in ${rule}: ${why}`),
    ...(answer.roles_that_would_do.length ? [`  would do        the role ${answer.roles_that_would_do.join(', or ')}`] : []),
    ...(answer.scope_types ? [`  would do        a token for a ${answer.scope_types.join(' or ')}`] : []),
  ]
  return `${lines.join('\n')}\n`
}

async function list(word: string | undefined, options: PolicyOptions): Promise<void> {
  const all = (await ask(placeOf(options.data), 'GET', '/policy/rules')) as ServiceRule[]
  const rules = all.filter((rule) => (!options.service || rule.service === options.service) && (!word || rule.name.includes(word)))
  if (options.json) process.stdout.write(`${JSON.stringify(rules, null, 1)}\n`)
  else process.stdout.write(table(['SERVICE', 'RULE', 'FROM', 'SCOPES', 'CHECK'], rules.map((rule) => [rule.service, rule.name, rule.from, rule.scope_types?.join(',') ?? 'any', rule.check_str])))
}

/** Needs no running cloud. */
function defaults(options: PolicyOptions): void {
  const house = houses.find(({ plate }) => plate.name === options.service)
  if (!house) throw invalid(`Say which service: --service ${houses.map(({ plate }) => plate.name).join('|')}`)
  for (const { name, check_str, operations, scope_types } of house.policies) {
    for (const operation of operations ?? []) process.stdout.write(`# ${operation}\n`)
    if (scope_types?.length) process.stdout.write(`# Scopes: ${scope_types.join(', ')}\n`)
    process.stdout.write(`#${JSON.stringify(name)}: ${JSON.stringify(check_str)}\n\n`)
  }
}
