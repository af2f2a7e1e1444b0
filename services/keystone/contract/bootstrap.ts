/** What the process that starts a cloud asks of Keystone before anyone can log in. */
import type { Secret } from '#base/secret.ts'
import type { TokenFacts } from '#stack/context.ts'
import type { ControlProcess } from '#stack/house.ts'

export interface BootstrapWish {
  region: string
  /** The administrator: role admin in this project, in the default domain and in the system. */
  admin: { name: string; password: Secret; project: string }
  /** The houses' own users: roles admin and service in project `service`. Their passwords are generated ones unless `chosen` by an operator, and kept as given here. */
  services: readonly { name: string; password: Secret; chosen?: boolean }[]
  users: readonly { name: string; password: Secret; project: string; roles: readonly string[] }[]
  /** Roles that are made beside Keystone's own. */
  roles?: readonly string[]
  /** `url` may hold `{project_id}`, and begin with `{public_url}` for where the front door listens. */
  catalog: readonly { name: string; type: string; url: string }[]
}

/** A provider by which a browser may log in, at `…/identity_providers/<idp_id>/protocols/<protocol_id>/websso`. */
export interface WebSignOn {
  idp_id: string
  protocol_id: string
  /** For people. */
  name: string
}

export interface StandingWish {
  user: string
  /** Name or id of the domain of user and project. Default `default`. */
  domain?: string
  scope: { project: string } | { domain: string } | { system: true } | undefined
}

/** Credentials as policy reads them. */
export interface Standing {
  user_id: string
  user_domain_id: string
  project_id?: string
  project_domain_id?: string
  domain_id?: string
  system_scope?: string
  roles: readonly string[]
}

export interface IdentityProcess extends ControlProcess {
  /** The facts of a token; undefined when it is not valid (any more). Writes nothing, hashes nothing. */
  validateToken(token: string, requestId: string): Promise<TokenFacts | undefined>
  /** Makes what a cloud cannot be without; safe to repeat, and from several processes. */
  bootstrap(wish: BootstrapWish): Promise<void>
  /** A token for a user by name in a project by name (domain Default), without a password: only for callers in this process. */
  issueFor(userName: string, projectName: string): Promise<{ token: Secret; expires_at: number }>
  /** What a token of that user for that scope would say of rights, also when nobody would issue it for want of a role. Names or ids; a project's domain is the user's. */
  standing(wish: StandingWish): Promise<Standing>
  webSignOns(): Promise<WebSignOn[]>
  /** Told when a token that was valid may be so no more, by this process or another. */
  onRevoked(listener: () => void): void
}
