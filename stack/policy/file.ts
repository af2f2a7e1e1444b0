/**
 * `policy.yaml`: the operator's own rules. JSON is YAML, so both are read. The file is looked at again when a question comes and
 * the last look is older than `interval`; there is no timer. A file that cannot be read leaves the rules in force as they were.
 */
import { parse } from 'yaml'
import type { Clock } from '#base/clock.ts'
import { invalid } from '#base/fault.ts'
import type { Log } from '#base/log.ts'
import type { CheckText, Enforcer, Overrides } from './interface.ts'
import { createEnforcer, type EnforcerOptions } from './enforcer.ts'

/** How the file is reached; the composition root passes the file system. */
export interface PolicyFile {
  readonly path: string
  /** Changes whenever the file does (its mtime); undefined when there is no file. */
  modified(): number | undefined
  read(): string
}

export interface WatchedEnforcerOptions extends Omit<EnforcerOptions, 'overrides'> {
  readonly file: PolicyFile
  readonly clock: Clock
  readonly log: Log
  /** Milliseconds between looks at the file. Default 1000. */
  readonly interval?: number
}

/** Throws `invalid` when the file, at the start, is no policy file or holds rules that cannot be read or go in circles. */
export function watchedEnforcer(options: WatchedEnforcerOptions): Enforcer {
  const { file, clock, log } = options
  const interval = options.interval ?? 1_000
  let seen = file.modified()
  let looked = clock.now()
  let enforcer = load(options, seen)

  const current = (): Enforcer => {
    const now = clock.now()
    if (now - looked < interval) return enforcer
    looked = now
    const modified = file.modified()
    if (modified === seen) return enforcer
    seen = modified
    try {
      enforcer = load(options, modified)
      log.info('Reloaded policy', { path: file.path, rules: enforcer.rules().length })
    } catch (thrown) {
      log.error('Could not reload policy, kept the rules that were in force', { path: file.path, error: thrown })
    }
    return enforcer
  }
  return {
    check: (rule, target, credentials) => current().check(rule, target, credentials),
    decide: (rule, target, credentials) => current().decide(rule, target, credentials),
    explain: (rule, target, credentials) => current().explain(rule, target, credentials),
    has: (rule) => current().has(rule),
    rules: () => current().rules(),
    get problems() {
      return current().problems
    },
  }
}

function load(options: WatchedEnforcerOptions, modified: number | undefined): Enforcer {
  const overrides = modified === undefined ? {} : parsePolicyFile(options.file.read(), options.file.path)
  const enforcer = createEnforcer({ ...options, overrides })
  const bad = enforcer.problems.filter((problem) => problem.kind !== 'undefined')
  if (bad.length) throw invalid(`${options.file.path}: ${bad.map((problem) => problem.message).join('; ')}`)
  for (const problem of enforcer.problems) options.log.warn('Found a policy rule that refers to nothing', { rule: problem.rule, problem: problem.message })
  return enforcer
}

/** The rules of a policy file, YAML or JSON. Throws `invalid` naming the rule that is not text or a list of lists of text. */
export function parsePolicyFile(text: string, path = 'policy.yaml'): Overrides {
  let found: unknown
  try {
    found = parse(text)
  } catch (thrown) {
    throw invalid(`${path} is neither YAML nor JSON: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown })
  }
  if (found === null || found === undefined) return {}
  if (typeof found !== 'object' || Array.isArray(found)) throw invalid(`${path} must map the names of rules to expressions`)
  const overrides: Record<string, CheckText> = {}
  for (const [name, value] of Object.entries(found)) {
    // `name:` with nothing after it would allow everybody, where people mostly meant nobody.
    if (value === null) throw invalid(`${path}: the rule "${name}" is empty: write "@" to allow everybody or "!" to allow nobody`, { field: name })
    if (isCheckText(value)) overrides[name] = value
    else throw invalid(`${path}: the rule "${name}" must be text`, { field: name })
  }
  return overrides
}

function isCheckText(value: unknown): value is CheckText {
  if (typeof value === 'string') return true
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string' || (Array.isArray(entry) && entry.every((check) => typeof check === 'string')))
}
