/**
 * Bucket policies: who may do what, under which conditions. What this store cannot judge (an operator, a key of a condition, an element) is refused
 * when the policy is put, so that no statement is silently without effect.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
 */
import { s3Fault } from './errors.ts'
import { CONDITION_KEYS, holds, isOperator, type Conditions, type Facts } from './policy-conditions.ts'
import { wild } from './wild.ts'

export interface Statement {
  sid?: string
  effect: 'Allow' | 'Deny'
  /** `*` or ids of projects, with a user (`project/user`) or without. */
  principals: readonly string[]
  notPrincipals: boolean
  /** `s3:GetObject`, with `*` and `?`. */
  actions: readonly string[]
  notActions: boolean
  /** `bucket` and `bucket/key`, with `*` and `?`. */
  resources: readonly string[]
  notResources: boolean
  conditions: Conditions
}

export interface Policy {
  /** As it came. */
  text: string
  statements: readonly Statement[]
}

/** A policy has at most this many bytes. */
const MOST = 20_480

const malformed = (why: string): Error => s3Fault('MalformedPolicy', why)

/** `bucket`: the only one that the policy may speak of. Throws MalformedPolicy. */
export function parsePolicy(text: string, bucket: string): Policy {
  if (Buffer.byteLength(text) > MOST) throw malformed('Policies must not be larger than 20 KiB.')
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw malformed('Policies must be valid JSON and the first byte must be \'{\'')
  }
  if (!isRecord(document)) throw malformed('Policies must be valid JSON and the first byte must be \'{\'')
  for (const key of Object.keys(document)) if (!['Version', 'Id', 'Statement'].includes(key)) throw malformed(`Unknown field ${key.slice(0, 40)}`)
  if (document.Version !== undefined && document.Version !== '2012-10-17' && document.Version !== '2008-10-17') throw malformed('The policy must contain a valid version string')
  const list = Array.isArray(document.Statement) ? document.Statement : [document.Statement]
  if (document.Statement === undefined || list.length === 0) throw malformed('Missing required field Statement')
  return { text, statements: list.map((each) => statementOf(each, bucket)) }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

function texts(value: unknown, field: string): string[] {
  const list = Array.isArray(value) ? value : [value]
  if (list.length === 0 || !list.every((each) => typeof each === 'string' && each !== '')) throw malformed(`${field} must be text or a list of texts`)
  return list as string[]
}

function statementOf(value: unknown, bucket: string): Statement {
  if (!isRecord(value)) throw malformed('A statement must be an object')
  for (const key of Object.keys(value)) if (!['Sid', 'Effect', 'Principal', 'NotPrincipal', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'].includes(key)) throw malformed(`Unknown field ${key.slice(0, 40)}`)
  const either = (name: string): { value: unknown; not: boolean } => {
    const [plain, not] = [value[name], value[`Not${name}`]]
    if ((plain === undefined) === (not === undefined)) throw malformed(`Statement must have ${name} or Not${name}`)
    return { value: plain ?? not, not: plain === undefined }
  }
  const { Effect: effect, Sid: sid } = value
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed('Invalid effect')
  const [principal, action, resource] = [either('Principal'), either('Action'), either('Resource')]
  if (principal.not && effect === 'Allow') throw malformed('Allow with NotPrincipal is not supported')
  const actions = texts(action.value, 'Action')
  for (const each of actions) if (!/^(\*|s3:[\w*?]+)$/i.test(each)) throw malformed('Policy has invalid action')
  const resources = texts(resource.value, 'Resource').map((each) => {
    const name = each === '*' ? '*' : /^arn:aws:s3:[^:]*:[^:]*:(.+)$/s.exec(each)?.[1]
    if (name === undefined || (name !== '*' && !wild(name.split('/')[0]!, bucket))) throw malformed('Policy has invalid resource')
    return name
  })
  return {
    ...(typeof sid === 'string' ? { sid } : {}), effect, principals: principalsOf(principal.value), notPrincipals: principal.not, actions, notActions: action.not, resources, notResources: resource.not,
    conditions: conditionsOf(value.Condition),
  }
}

function principalsOf(value: unknown): string[] {
  if (value === '*') return ['*']
  if (!isRecord(value)) throw malformed('Invalid principal in policy')
  return Object.entries(value).flatMap(([kind, names]) => {
    if (kind !== 'AWS' && kind !== 'CanonicalUser') throw malformed(`Principals of the kind ${kind.slice(0, 40)} are not supported`)
    return texts(names, 'Principal').map((name) => {
      if (name === '*') return '*'
      const [, project, rest] = /^arn:aws:iam::([\w.-]+):(root|user\/.+)$/.exec(name) ?? []
      if (project !== undefined) return rest === 'root' ? project : `${project}/${rest!.slice('user/'.length)}`
      if (!/^[\w.-]+$/.test(name)) throw malformed('Invalid principal in policy')
      return name
    })
  })
}

function conditionsOf(value: unknown): Conditions {
  if (value === undefined) return []
  if (!isRecord(value)) throw malformed('Condition must be an object')
  return Object.entries(value).flatMap(([operator, keys]) => {
    if (!isOperator(operator)) throw malformed(`Invalid Condition type : ${operator.slice(0, 60)}`)
    if (!isRecord(keys)) throw malformed('Condition must name keys')
    return Object.entries(keys).map(([key, given]) => {
      if (!CONDITION_KEYS.some((known) => (known.endsWith('/') ? key.toLowerCase().startsWith(known) : key.toLowerCase() === known))) throw malformed(`Policy has an invalid condition key: ${key.slice(0, 80)}`)
      const list = Array.isArray(given) ? given : [given]
      if (!list.every((each) => ['string', 'number', 'boolean'].includes(typeof each))) throw malformed(`Policy has an invalid value of ${key.slice(0, 80)}`)
      return { operator, key: key.includes('/') ? key.replace(/^[^/]+/, (name) => name.toLowerCase()) : key.toLowerCase(), values: list.map(String) }
    })
  })
}

export interface Wish {
  action: string
  bucket: string
  /** Empty: the bucket itself. */
  key: string
  /** Who asks; undefined for those who did not say. */
  project: string | undefined
  /** May act for the project in this: a statement that lets in the project lets them in. */
  delegated: boolean
  users: readonly string[]
  facts: Facts
}

/** An explicit refusal wins; undefined: the policy says nothing. */
export function verdictOf({ statements }: Policy, wish: Wish): 'Allow' | 'Deny' | undefined {
  let verdict: 'Allow' | undefined
  for (const each of statements) {
    if (!applies(each, wish)) continue
    if (each.effect === 'Deny') return 'Deny'
    verdict = 'Allow'
  }
  return verdict
}

function applies(each: Statement, { action, bucket, key, project, delegated, users, facts }: Wish): boolean {
  const who = each.principals.some((name) => name === '*' || (project !== undefined && ((name === project && (delegated || each.effect === 'Deny')) || users.some((user) => name === `${project}/${user}`))))
  const resource = key === '' ? bucket : `${bucket}/${key}`
  return (
    who !== each.notPrincipals &&
    each.actions.some((pattern) => pattern === '*' || wild(pattern.toLowerCase(), action.toLowerCase())) !== each.notActions &&
    each.resources.some((pattern) => wild(pattern, resource)) !== each.notResources &&
    each.conditions.every((condition) => holds(condition, facts))
  )
}

/** Lets in whoever comes: an Allow for everybody that no fixed address, account or the like narrows. */
export function isPublicPolicy({ statements }: Policy): boolean {
  const narrow = ['aws:sourceip', 's3:x-amz-server-side-encryption-aws-kms-key-id']
  return statements.some(({ effect, principals, conditions }) => effect === 'Allow' && principals.includes('*') && !conditions.some(({ key, operator, values }) => narrow.includes(key) && !/Not|IfExists|Null/.test(operator) && values.every((value) => !/\*|\/0$/.test(value))))
}
