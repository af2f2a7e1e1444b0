/**
 * The language of rules:
 *
 *     expression  = '' | or                       nothing at all allows
 *     or          = and { 'or' and }
 *     and         = not { 'and' not }
 *     not         = 'not' not | '(' or ')' | check
 *     check       = '@' | '!' | kind ':' match    always, never, or a question (checks.ts)
 *
 * Words are parted by white space; `and`, `or`, `not` in any case. A check holds no white space; brackets at its ends belong
 * to the expression, those of `%(name)s` inside do not.
 */
import type { CheckText } from './interface.ts'

export type Node =
  | { readonly kind: 'always' }
  | { readonly kind: 'never' }
  | { readonly kind: 'all'; readonly of: readonly Node[] }
  | { readonly kind: 'any'; readonly of: readonly Node[] }
  | { readonly kind: 'not'; readonly of: Node }
  | { readonly kind: 'check'; readonly name: string; readonly match: string }

export const ALWAYS: Node = { kind: 'always' }
export const NEVER: Node = { kind: 'never' }

/** Thrown for text that is no rule; the message says where and why. */
export class PolicySyntaxError extends Error {
  override readonly name = 'PolicySyntaxError'
}

export function parseRule(text: CheckText): Node {
  return typeof text === 'string' ? parseText(text) : parseLists(text)
}

/** The rule as text again, in the new form. */
export function ruleText(text: CheckText): string {
  if (typeof text === 'string') return text
  return nodeText(parseLists(text))
}

export function nodeText(node: Node, inside?: 'all' | 'not'): string {
  switch (node.kind) {
    case 'always':
      return '@'
    case 'never':
      return '!'
    case 'check':
      return `${node.name}:${node.match}`
    case 'not':
      return `not ${nodeText(node.of, 'not')}`
    case 'all': {
      const text = node.of.map((part) => nodeText(part, 'all')).join(' and ')
      return inside === 'not' ? `(${text})` : text
    }
    case 'any': {
      const text = node.of.map((part) => nodeText(part)).join(' or ')
      return inside ? `(${text})` : text
    }
  }
}

type Token = { readonly kind: '(' | ')' | 'and' | 'or' | 'not' } | { readonly kind: 'node'; readonly node: Node }

function parseText(text: string): Node {
  const tokens = tokenize(text)
  if (tokens.length === 0) return ALWAYS
  let at = 0
  const fail = (what: string): never => {
    throw new PolicySyntaxError(`${what} in the rule "${text}"`)
  }
  const parseOr = (): Node => {
    const of = [parseAnd()]
    while (tokens[at]?.kind === 'or') {
      at++
      of.push(parseAnd())
    }
    return of.length === 1 ? of[0]! : { kind: 'any', of }
  }
  const parseAnd = (): Node => {
    const of = [parseNot()]
    while (tokens[at]?.kind === 'and') {
      at++
      of.push(parseNot())
    }
    return of.length === 1 ? of[0]! : { kind: 'all', of }
  }
  const parseNot = (): Node => {
    const token = tokens[at++]
    if (!token) return fail('A check is missing at the end')
    if (token.kind === 'not') return { kind: 'not', of: parseNot() }
    if (token.kind === 'node') return token.node
    if (token.kind !== '(') return fail(`"${token.kind}" stands where a check is due`)
    const inner = parseOr()
    if (tokens[at++]?.kind !== ')') return fail('A ")" is missing')
    return inner
  }
  const node = parseOr()
  const rest = tokens[at]
  if (rest) fail(rest.kind === ')' ? 'There is a ")" too many' : '"and" or "or" is missing between two checks')
  return node
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  for (const word of text.split(/\s+/)) {
    let start = 0
    while (word[start] === '(') {
      tokens.push({ kind: '(' })
      start++
    }
    const opened = word.slice(start)
    let end = opened.length
    while (end > 0 && opened[end - 1] === ')') end--
    const clean = opened.slice(0, end)
    if (clean) {
      const lower = clean.toLowerCase()
      if (lower === 'and' || lower === 'or' || lower === 'not') tokens.push({ kind: lower })
      else tokens.push({ kind: 'node', node: parseCheck(clean) })
    }
    for (let i = end; i < opened.length; i++) tokens.push({ kind: ')' })
  }
  return tokens
}

function parseCheck(text: string): Node {
  if (text === '@') return ALWAYS
  if (text === '!') return NEVER
  const colon = text.indexOf(':')
  if (colon <= 0) throw new PolicySyntaxError(`"${text}" is no check: a check is kind:match, "@" or "!"`)
  return { kind: 'check', name: text.slice(0, colon), match: text.slice(colon + 1) }
}

function parseLists(lists: readonly (string | readonly string[])[]): Node {
  if (lists.length === 0) return ALWAYS
  const any: Node[] = []
  for (const entry of lists) {
    const checks = typeof entry === 'string' ? [entry] : entry
    if (checks.length === 0) continue
    const all = checks.map(parseCheck)
    any.push(all.length === 1 ? all[0]! : { kind: 'all', of: all })
  }
  if (any.length === 0) return NEVER
  return any.length === 1 ? any[0]! : { kind: 'any', of: any }
}
