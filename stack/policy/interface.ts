/**
 * The shapes of policy (the language of `oslo.policy`): rules as data, who asks, what is judged, and the answer.
 * A rule is text such as `role:admin or project_id:%(project_id)s`; see `parse.ts` for the language.
 */

/** One rule as its house ships it: `services/<name>/contract/policies.json`. */
export interface RuleDefault {
  /** `os_compute_api:servers:create`, `identity:get_user`, or a helper such as `admin_or_owner`. */
  readonly name: string
  readonly check_str: CheckText
  /** Token scopes that may use it at all; null means any. Only the rule that is asked for counts, not those it refers to. */
  readonly scope_types?: readonly string[] | null | undefined
  /** `POST /servers`: what the rule guards, for reference pages. */
  readonly operations?: readonly string[] | undefined
  /** The rule before the last change of defaults. It still allows, unless `enforce_new_defaults`. */
  readonly deprecated_rule?: { readonly name: string; readonly check_str: CheckText } | undefined
  readonly deprecated_for_removal?: boolean | undefined
}

/** An expression, or the old form: a list (any of) of lists (all of) of checks. */
export type CheckText = string | readonly (string | readonly string[])[]

/** Rules by name, as in a `policy.yaml`. */
export type Overrides = Readonly<Record<string, CheckText>>

/**
 * Who asks. An attribute check (`user_id:…`, `token.domain.id:…`) reads any attribute by its name, dots going inward.
 * A null and an absent attribute are the same: `None`.
 */
export interface Credentials {
  readonly roles: readonly string[]
  readonly user_id?: string | null | undefined
  readonly project_id?: string | null | undefined
  readonly domain_id?: string | null | undefined
  readonly user_domain_id?: string | null | undefined
  readonly project_domain_id?: string | null | undefined
  /** `all` for a token of the system. */
  readonly system_scope?: string | null | undefined
  readonly is_admin?: boolean | undefined
  readonly is_admin_project?: boolean | undefined
  /** Roles of the service token that came along. */
  readonly service_roles?: readonly string[] | undefined
  readonly [attribute: string]: unknown
}

/**
 * What is judged: the row, the wish, or the filter of a list. `%(target.user.id)s` reads `target['target.user.id']`, else
 * `target.target.user.id`; `%(network:project_id)s` reads `target['network:project_id']`, else `target.network.project_id`.
 * A getter is asked only when a rule comes to it.
 */
export type Target = Readonly<Record<string, unknown>>

export interface Enforcer {
  /** May they? An unknown rule falls back to the rule `default`, else no. A rule with a remote check: no, see `decide`. */
  check(rule: string, target: Target, credentials: Credentials): boolean
  /** As `check`, asking the remote judges (`http:` and `https:` checks) too. */
  decide(rule: string, target: Target, credentials: Credentials): Promise<boolean>
  /** The answer with its reasons, for an operator. Holds names only: no value of the target or the credentials. */
  explain(rule: string, target: Target, credentials: Credentials): Explanation
  has(rule: string): boolean
  /** Every rule with what is in force. */
  rules(): readonly EffectiveRule[]
  /** What is wrong with the rules: unreadable, going in circles, or referring to nothing. Unreadable and circular rules deny. */
  readonly problems: readonly PolicyProblem[]
}

export interface EffectiveRule {
  readonly name: string
  /** The expression in force, deprecated part included. */
  readonly check_str: string
  readonly from: 'default' | 'override'
  readonly scope_types: readonly string[] | null
  readonly operations: readonly string[]
}

export interface PolicyProblem {
  readonly rule: string
  readonly kind: 'syntax' | 'cycle' | 'undefined'
  readonly message: string
}

export interface Explanation {
  readonly rule: string
  readonly allowed: boolean
  /** The rule that judged: `rule`, or `default`; absent when there was none. */
  readonly judged_by?: string
  readonly check_str?: string
  readonly reason: 'allowed' | 'scope' | 'checks' | 'no_rule' | 'broken_rule'
  /** One sentence. */
  readonly message: string
  /** The checks that would each have had to hold, when `reason` is `checks`. */
  readonly failed: readonly FailedCheck[]
  /** Any one of these roles, added to what they have, would do. */
  readonly roles_that_would_do: readonly string[]
  /** Scopes that the rule takes, when `reason` is `scope`. */
  readonly scope_types?: readonly string[]
}

export interface FailedCheck {
  /** `role:admin`, `not project_id:%(project_id)s`. */
  readonly check: string
  /** The rule in which it stands. */
  readonly rule: string
  readonly why: string
}

/** Asks a remote judge; throws or answers false for no. `url` is complete. */
export type RemoteJudge = (url: string, question: { rule: string; target: Target; credentials: Credentials }) => Promise<boolean>
