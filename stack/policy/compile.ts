/**
 * Rules to closures. References between rules are resolved here, once; a rule that comes back to itself, and every rule that
 * leads into such a circle, denies.
 */
import { type Check, compileCheck } from './checks.ts'
import type { Credentials, PolicyProblem, Target } from './interface.ts'
import { ALWAYS, NEVER, type Node } from './parse.ts'

export interface CompiledRule {
  readonly name: string
  readonly node: Node
  readonly run: Check
  /** The rule could not be made; it denies. */
  readonly broken: boolean
  /** Some check on its way asks a remote judge. */
  readonly remote: boolean
}

export interface CompiledRules {
  readonly rules: ReadonlyMap<string, CompiledRule>
  readonly problems: readonly PolicyProblem[]
}

const deny: Check = () => false
const allow: Check = () => true

/** Compiles every rule. A reference to an unknown rule means `fallback` when that exists, else it denies. */
export function compileRules(nodes: ReadonlyMap<string, Node>, fallback: string): CompiledRules {
  const problems: PolicyProblem[] = []
  const done = new Map<string, CompiledRule>()
  const circular = circles(nodes, fallback)

  const compileRule = (name: string): CompiledRule => {
    const made = done.get(name)
    if (made) return made
    const node = nodes.get(name)!
    let rule: CompiledRule
    const path = circular.get(name)
    if (path) {
      problems.push({ rule: name, kind: 'cycle', message: `The rule "${name}" goes in a circle: ${path.join(' → ')}` })
      rule = { name, node: NEVER, run: deny, broken: true, remote: false }
    } else {
      try {
        const part = compileNode(name, node)
        rule = { name, node, run: part.run, broken: false, remote: part.remote }
      } catch (thrown) {
        problems.push({ rule: name, kind: 'syntax', message: thrown instanceof Error ? thrown.message : String(thrown) })
        rule = { name, node: NEVER, run: deny, broken: true, remote: false }
      }
    }
    done.set(name, rule)
    return rule
  }

  const compileNode = (name: string, node: Node): { run: Check; remote: boolean } => {
    switch (node.kind) {
      case 'always':
        return { run: allow, remote: false }
      case 'never':
        return { run: deny, remote: false }
      case 'not': {
        const { run, remote } = compileNode(name, node.of)
        return { run: (target, credentials, judge) => !run(target, credentials, judge), remote }
      }
      case 'all':
      case 'any': {
        const parts = node.of.map((part) => compileNode(name, part))
        const run = node.kind === 'all' ? all(parts.map((part) => part.run)) : any(parts.map((part) => part.run))
        return { run, remote: parts.some((part) => part.remote) }
      }
      case 'check': {
        if (node.name !== 'rule') return { run: compileCheck(node.name, node.match), remote: node.name === 'http' || node.name === 'https' }
        const other = referred(nodes, node.match, fallback)
        if (other !== undefined) return compileRule(other)
        problems.push({ rule: name, kind: 'undefined', message: `The rule "${name}" refers to "${node.match}", which does not exist` })
        return { run: deny, remote: false }
      }
    }
  }

  for (const name of nodes.keys()) compileRule(name)
  return { rules: done, problems }
}

/** The answer without asking anybody: yes only when no remote judge could have made it a no. */
export function runAlone(found: CompiledRule, target: Target, credentials: Credentials): boolean {
  if (!found.remote) return found.run(target, credentials, undefined)
  return found.run(target, credentials, () => false) && found.run(target, credentials, () => true)
}

/** The rule that `rule:<name>` means. */
export function referred(nodes: { has(name: string): boolean }, name: string, fallback: string): string | undefined {
  if (nodes.has(name)) return name
  return nodes.has(fallback) ? fallback : undefined
}

/** Pairs, the usual case, cost no loop. */
function all(parts: readonly Check[]): Check {
  const [first, second] = parts
  if (parts.length === 2) return (target, credentials, judge) => first!(target, credentials, judge) && second!(target, credentials, judge)
  return (target, credentials, judge) => {
    for (const part of parts) if (!part(target, credentials, judge)) return false
    return true
  }
}

function any(parts: readonly Check[]): Check {
  const [first, second] = parts
  if (parts.length === 2) return (target, credentials, judge) => first!(target, credentials, judge) || second!(target, credentials, judge)
  return (target, credentials, judge) => {
    for (const part of parts) if (part(target, credentials, judge)) return true
    return false
  }
}

/** Every rule from which a circle can be reached, with the way into it. */
function circles(nodes: ReadonlyMap<string, Node>, fallback: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  const clear = new Set<string>()
  const visit = (name: string, way: readonly string[]): string[] | undefined => {
    if (clear.has(name)) return undefined
    const known = found.get(name)
    if (known) return known
    const path = [...way, name]
    if (way.includes(name)) return path
    for (const next of references(nodes.get(name) ?? ALWAYS)) {
      const other = referred(nodes, next, fallback)
      const circle = other === undefined ? undefined : visit(other, path)
      if (circle) {
        found.set(name, circle)
        return circle
      }
    }
    clear.add(name)
    return undefined
  }
  for (const name of nodes.keys()) visit(name, [])
  return found
}

/** The rules that an expression refers to directly. */
export function references(node: Node): string[] {
  switch (node.kind) {
    case 'check':
      return node.name === 'rule' ? [node.match] : []
    case 'not':
      return references(node.of)
    case 'all':
    case 'any':
      return node.of.flatMap(references)
    default:
      return []
  }
}
