/** The judge: defaults, overrides and options in; answers out. Making one compiles every rule; asking is a few closures. */
import { type CompiledRule, compileRules, runAlone } from './compile.ts'
import { explainRule } from './explain.ts'
import type { CheckText, Credentials, EffectiveRule, Enforcer, Overrides, PolicyProblem, RemoteJudge, RuleDefault, Target } from './interface.ts'
import { NEVER, type Node, nodeText, parseRule, ruleText } from './parse.ts'

export interface EnforcerOptions {
  readonly defaults: readonly RuleDefault[]
  readonly overrides?: Overrides
  /** A token of another scope than the rule names is refused. Default true. */
  readonly enforce_scope?: boolean
  /** False lets the deprecated rule allow as well. Default true. */
  readonly enforce_new_defaults?: boolean
  /** The rule for rules that do not exist. Default `default`. */
  readonly policy_default_rule?: string
  /** Asks `http:` and `https:` checks; without it they deny. */
  readonly remote?: RemoteJudge
}

export function createEnforcer(options: EnforcerOptions): Enforcer {
  const fallback = options.policy_default_rule ?? 'default'
  const enforceScope = options.enforce_scope ?? true
  const syntax: PolicyProblem[] = []
  const unreadable = new Set<string>()
  const parse = (name: string, text: CheckText): Node => {
    try {
      return parseRule(text)
    } catch (thrown) {
      syntax.push({ rule: name, kind: 'syntax', message: `${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}` })
      unreadable.add(name)
      return NEVER
    }
  }

  const nodes = new Map<string, Node>()
  const effective: EffectiveRule[] = []
  const scopes = new Map<string, ReadonlySet<string>>()
  const add = (name: string, text: CheckText, from: EffectiveRule['from'], rule: RuleDefault | undefined, also?: Node): void => {
    const node = parse(name, text)
    const whole: Node = also ? { kind: 'any', of: [node, also] } : node
    nodes.set(name, whole)
    effective.push({
      name,
      check_str: also ? nodeText(whole) : unreadable.has(name) ? String(text) : ruleText(text),
      from,
      scope_types: rule?.scope_types ?? null,
      operations: rule?.operations ?? [],
    })
    if (rule?.scope_types?.length) scopes.set(name, new Set(rule.scope_types))
  }

  const overrides = options.overrides ?? {}
  const known = new Set<string>()
  for (const rule of options.defaults) {
    known.add(rule.name)
    const own = overrides[rule.name]
    const old = rule.deprecated_rule
    const renamed = old && old.name !== rule.name ? overrides[old.name] : undefined
    if (own !== undefined) add(rule.name, own, 'override', rule)
    // Who has overridden the old name meant this rule too, unless what they wrote is the old default.
    else if (renamed !== undefined && ruleText(renamed) !== ruleText(old!.check_str)) add(rule.name, renamed, 'override', rule)
    else if (old && !(options.enforce_new_defaults ?? true) && ruleText(old.check_str) !== ruleText(rule.check_str)) {
      add(rule.name, rule.check_str, 'default', rule, parse(rule.name, old.check_str))
    } else add(rule.name, rule.check_str, 'default', rule)
  }
  for (const [name, text] of Object.entries(overrides)) {
    if (!known.has(name)) add(name, text, 'override', undefined)
  }

  const { rules, problems } = compileRules(nodes, fallback)
  const find = (rule: string): CompiledRule | undefined => rules.get(rule) ?? rules.get(fallback)
  const scopeHolds = (rule: string, credentials: Credentials): boolean => {
    if (!enforceScope) return true
    const scope = scopes.get(rule)
    return scope === undefined || scope.has(scopeOf(credentials))
  }

  return {
    check(rule, target, credentials) {
      const found = find(rule)
      return found !== undefined && scopeHolds(rule, credentials) && runAlone(found, target, credentials)
    },
    async decide(rule, target, credentials) {
      const found = find(rule)
      if (!found || !scopeHolds(rule, credentials)) return false
      const remote = options.remote
      if (!found.remote || !remote) return runAlone(found, target, credentials)
      return decideRemotely(found, remote, rule, target, credentials)
    },
    explain: (rule, target, credentials) =>
      explainRule({ rule, found: find(rule), rules, fallback, scopes: scopeHolds(rule, credentials) ? undefined : scopes.get(rule), unreadable }, target, credentials),
    has: (rule) => rules.has(rule),
    rules: () => effective,
    problems: [...syntax, ...problems],
  }
}

/** Runs the rule, asks whoever it wanted to ask, and runs it again, until it wants nobody new. A judge that fails never allows. */
async function decideRemotely(found: CompiledRule, remote: RemoteJudge, rule: string, target: Target, credentials: Credentials): Promise<boolean> {
  const answers = new Map<string, boolean | 'failed'>()
  for (;;) {
    let wanted: string | undefined
    const assuming = (unknown: boolean): boolean =>
      found.run(target, credentials, (url) => {
        const known = answers.get(url)
        if (known === undefined) wanted ??= url
        return typeof known === 'boolean' ? known : unknown
      })
    const answer = assuming(false) && assuming(true)
    if (wanted === undefined) return answer
    answers.set(
      wanted,
      await remote(wanted, { rule, target, credentials }).catch(() => 'failed' as const),
    )
  }
}

/** What the token is scoped to, in the words of `scope_types`. */
export function scopeOf(credentials: Credentials): 'system' | 'domain' | 'project' {
  if (credentials.system_scope) return 'system'
  return credentials.domain_id ? 'domain' : 'project'
}
