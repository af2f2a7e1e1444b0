/** Why a rule said no, in names only, and which role would have changed its mind. */
import { compileCheck, literalText, targetHas, templateKeys } from './checks.ts'
import { type CompiledRule, referred, runAlone } from './compile.ts'
import type { Credentials, Explanation, FailedCheck, Target } from './interface.ts'
import { type Node, nodeText } from './parse.ts'

export interface Judgement {
  readonly rule: string
  readonly found: CompiledRule | undefined
  readonly rules: ReadonlyMap<string, CompiledRule>
  readonly fallback: string
  /** The scopes the rule takes, when the token has another. */
  readonly scopes: ReadonlySet<string> | undefined
  readonly unreadable: ReadonlySet<string>
}

export function explainRule(judgement: Judgement, target: Target, credentials: Credentials): Explanation {
  const { rule, found, scopes } = judgement
  const none = { failed: [], roles_that_would_do: [] } as const
  if (!found) {
    return { rule, allowed: false, reason: 'no_rule', message: `There is no rule "${rule}" and no rule "${judgement.fallback}"`, ...none }
  }
  const judged = { rule, judged_by: found.name, check_str: nodeText(found.node) }
  if (found.broken || judgement.unreadable.has(found.name)) {
    return { ...judged, allowed: false, reason: 'broken_rule', message: `The rule "${found.name}" cannot be read or goes in a circle, so it denies`, ...none }
  }
  if (scopes) {
    const list = [...scopes]
    return { ...judged, allowed: false, reason: 'scope', message: `The rule "${rule}" takes a token scoped to ${list.join(' or ')}`, scope_types: list, ...none }
  }
  if (runAlone(found, target, credentials)) return { ...judged, allowed: true, reason: 'allowed', message: `The rule "${found.name}" allows it`, ...none }

  const failed: FailedCheck[] = []
  collectFailed(judgement, found.name, found.node, target, credentials, failed)
  const roles = [...namedRoles(found.node, judgement, new Set())]
    .filter((role) => runAlone(found, target, { ...credentials, roles: [...(credentials.roles ?? []), role] }))
    .sort()
  const message = roles.length
    ? `The rule "${found.name}" asks for ${roles.length === 1 ? `the role ${roles[0]}` : `one of the roles ${roles.join(', ')}`}`
    : `No role alone would satisfy the rule "${found.name}"`
  return { ...judged, allowed: false, reason: 'checks', message, failed: unique(failed), roles_that_would_do: roles }
}

function collectFailed(judgement: Judgement, rule: string, node: Node, target: Target, credentials: Credentials, out: FailedCheck[]): void {
  switch (node.kind) {
    case 'always':
      return
    case 'never':
      out.push({ check: '!', rule, why: 'never allowed' })
      return
    case 'not':
      if (holds(judgement, node.of, target, credentials)) out.push({ check: nodeText(node), rule, why: 'must not hold, and does' })
      return
    case 'all':
    case 'any':
      for (const part of node.of) if (!holds(judgement, part, target, credentials)) collectFailed(judgement, rule, part, target, credentials, out)
      return
    case 'check': {
      if (node.name === 'rule') {
        const other = referred(judgement.rules, node.match, judgement.fallback)
        const next = other === undefined ? undefined : judgement.rules.get(other)
        if (next && !next.broken) collectFailed(judgement, next.name, next.node, target, credentials, out)
        else out.push({ check: nodeText(node), rule, why: next ? 'that rule cannot be read or goes in a circle' : 'there is no such rule' })
        return
      }
      if (!compileCheck(node.name, node.match)(target, credentials, undefined)) out.push({ check: nodeText(node), rule, why: whyNot(node.name, node.match, target, credentials) })
    }
  }
}

function holds(judgement: Judgement, node: Node, target: Target, credentials: Credentials): boolean {
  switch (node.kind) {
    case 'always':
      return true
    case 'never':
      return false
    case 'not':
      return !holds(judgement, node.of, target, credentials)
    case 'all':
      return node.of.every((part) => holds(judgement, part, target, credentials))
    case 'any':
      return node.of.some((part) => holds(judgement, part, target, credentials))
    case 'check': {
      if (node.name !== 'rule') return compileCheck(node.name, node.match)(target, credentials, undefined)
      const other = referred(judgement.rules, node.match, judgement.fallback)
      return other !== undefined && judgement.rules.get(other)!.run(target, credentials, undefined)
    }
  }
}

/** In names only: the values of target and credentials stay out of what people read and paste. */
function whyNot(name: string, match: string, target: Target, credentials: Credentials): string {
  const missing = templateKeys(match).filter((key) => !targetHas(target, key))
  if (name === 'http' || name === 'https') return 'the remote judge was not asked or said no'
  if (missing.length) return `the target has no ${missing.join(', ')}`
  if (name === 'role') return 'the role is missing'
  if (name === 'field') return 'the field of the target has another value'
  if (literalText(name) !== undefined) return `${templateKeys(match).join(', ')} of the target has another value`
  const attribute = name === 'tenant_id' ? 'project_id' : name
  if (!name.includes('.') && (credentials[attribute] === undefined || credentials[attribute] === null)) return `the credentials have no ${name}`
  return templateKeys(match).length ? `${name} of the credentials is not that of the target` : `${name} of the credentials has another value`
}

function namedRoles(node: Node, judgement: Judgement, seen: Set<string>): Set<string> {
  const roles = new Set<string>()
  const walk = (at: Node): void => {
    if (at.kind === 'not') walk(at.of)
    else if (at.kind === 'all' || at.kind === 'any') at.of.forEach(walk)
    else if (at.kind === 'check' && at.name === 'role' && templateKeys(at.match).length === 0) roles.add(at.match)
    else if (at.kind === 'check' && at.name === 'rule') {
      const other = referred(judgement.rules, at.match, judgement.fallback)
      if (other === undefined || seen.has(other)) return
      seen.add(other)
      walk(judgement.rules.get(other)!.node)
    }
  }
  walk(node)
  return roles
}

function unique(failed: readonly FailedCheck[]): FailedCheck[] {
  const seen = new Set<string>()
  return failed.filter(({ rule, check }) => !seen.has(`${rule} ${check}`) && seen.add(`${rule} ${check}`))
}
