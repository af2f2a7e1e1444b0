/**
 * Who is logged in, in this tab: a token without scope, and from it one token for each project that was visited. They are kept in
 * sessionStorage, which ends with the tab; nothing is put in a cookie or in localStorage.
 */
import { useSyncExternalStore } from 'react'
import { type Issued, issueByPassword, issueForProject, type Login, revoke, showToken } from './api/identity.ts'

export interface Session {
  user: { id: string; name: string; domain: { name: string } }
  /** Without scope: for listing projects and for going into one. */
  token: string
  scoped: Readonly<Record<string, string>>
  /** By project: what one may do there is shown by them; the services decide. */
  roles?: Readonly<Record<string, readonly string[]>>
}

const KEY = 'ondol.session'
const LAST_PROJECT = 'ondol.project'

let current = read()
let expired = false
const listeners = new Set<() => void>()
const underway = new Map<string, Promise<Issued>>()

export const session = {
  current: (): Session | undefined => current,

  required(): Session {
    if (!current) throw new Error('Nobody is logged in')
    return current
  },

  async login(user: Login): Promise<void> {
    const { token, facts } = await issueByPassword(user)
    expired = false
    set({ user: facts.user, token, scoped: {} })
  },

  /** A token that Keystone gave when an identity provider had said who one is. */
  async adopt(token: string): Promise<void> {
    const facts = await showToken(token)
    expired = false
    set({ user: facts.user, token, scoped: {} })
  },

  /** The token for a project, asked for once. */
  async tokenFor(projectId: string): Promise<string> {
    const mine = session.required()
    const known = mine.scoped[projectId]
    if (known) return known
    const asked = underway.get(projectId) ?? issueForProject(mine.token, projectId)
    underway.set(projectId, asked)
    try {
      const { token, facts } = await asked
      // Meanwhile another may have logged in.
      if (current?.token === mine.token) set({ ...current, scoped: { ...current.scoped, [projectId]: token }, roles: { ...current.roles, [projectId]: (facts.roles ?? []).map(({ name }) => name) } })
      return token
    } finally {
      underway.delete(projectId)
    }
  },

  /** Forgets at once; the tokens are revoked behind. */
  logout(): void {
    const ended = current
    expired = false
    set(undefined)
    for (const token of ended ? [...Object.values(ended.scoped), ended.token] : []) void revoke(token).catch(() => {})
  },

  /** The tokens are valid no more. */
  expire(): void {
    expired = current !== undefined
    set(undefined)
  },

  /** Whether the last session ended by itself. */
  expired: (): boolean => expired,

  subscribe(listener: () => void): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  },
}

export const useSession = (): Session | undefined => useSyncExternalStore(session.subscribe, session.current)

/** Whether one may only look in this project. Roles that an operator has made may do more than we know: those are let try. */
export function useReadOnly(projectId: string): boolean {
  const roles = useSession()?.roles?.[projectId] ?? []
  return roles.length > 0 && roles.every((role) => role === 'reader')
}

/** The project that was visited last, in any tab. */
export const lastProject = {
  get: (): string | null => localStorage.getItem(LAST_PROJECT),
  set: (id: string): void => localStorage.setItem(LAST_PROJECT, id),
}

function set(next: Session | undefined): void {
  current = next
  underway.clear()
  if (next) sessionStorage.setItem(KEY, JSON.stringify(next))
  else sessionStorage.removeItem(KEY)
  for (const listener of listeners) listener()
}

function read(): Session | undefined {
  const kept = sessionStorage.getItem(KEY)
  return kept ? (JSON.parse(kept) as Session) : undefined
}
