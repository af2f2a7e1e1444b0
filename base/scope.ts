/**
 * What a log line, a trace span and an outgoing message need to know of the request they serve. It is ambient
 * (AsyncLocalStorage), so that no line can forget it; authority is never ambient: that is the explicit `Context` of `stack/`.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

export interface Scope {
  request_id: string
  /** The `X-OpenStack-Request-Id` the client sent, which ties several requests of one story together. */
  global_request_id?: string
  user_id?: string
  project_id?: string
  user_domain_id?: string
  project_domain_id?: string
  /** The resource that the work is about, for `[instance: …]`. */
  resource_id?: string
  /** Id of the flow that works, whoever asked for it. */
  flow?: string
  /** Id of the enclosing trace span. */
  span?: string
}

const storage = new AsyncLocalStorage<Scope>()

export function currentScope(): Scope | undefined {
  return storage.getStore()
}

export function runInScope<T>(scope: Scope, work: () => T): T {
  return storage.run(scope, work)
}

/** Adds to the current scope for the length of `work`. */
export function narrowScope<T>(more: Partial<Scope>, work: () => T): T {
  const scope = storage.getStore()
  return scope ? storage.run({ ...scope, ...more }, work) : work()
}
