/** Keystone: who one is, and in which projects one may work. */
import type { Project, TokenBody } from '#keystone/contract/types.ts'
import { queryOptions } from '@tanstack/react-query'
import { session } from '../session.ts'
import { ApiError, send, type Sending } from './client.ts'

export type { Project }

export interface Issued {
  token: string
  facts: TokenBody
}

/** Who somebody says they are. With a receipt the password was right, and the code of an authenticator is the rest. */
export interface Login {
  name: string
  password: string
  domain: string
  passcode?: string
  receipt?: string
}

export const RECEIPT = 'openstack-auth-receipt'

/** A token without scope. Throws ApiError 401 when name, password or domain do not fit, and with a receipt among its headers when another factor is wanted. */
export async function issueByPassword({ name, password, domain, passcode, receipt }: Login): Promise<Issued> {
  const user = { name, domain: { name: domain } }
  if (receipt !== undefined) return issue({ identity: { methods: ['totp'], totp: { user: { ...user, passcode } } }, scope: 'unscoped' }, { [RECEIPT]: receipt })
  return issue({ identity: { methods: ['password'], password: { user: { ...user, password } } }, scope: 'unscoped' })
}

/** A token for a project, on the strength of another token. Throws ApiError 403 when the user may not work there, 401 when the token has ended. */
export async function issueForProject(token: string, projectId: string): Promise<Issued> {
  try {
    return await issue({ identity: { methods: ['token'], token: { id: token } }, scope: { project: { id: projectId } } })
  } catch (thrown) {
    // Keystone answers 401 to both; whoever may still list projects is logged in.
    if (!(thrown instanceof ApiError) || thrown.status !== 401) throw thrown
    await listProjects(token)
    throw new ApiError(403, thrown.message, thrown.headers)
  }
}

/** What a token says of itself. Throws ApiError 401 when it is none. */
export async function showToken(token: string): Promise<TokenBody> {
  const response = await send('GET', '/identity/v3/auth/tokens', { token, headers: { 'x-subject-token': token } })
  return ((await response.json()) as { token: TokenBody }).token
}

export async function revoke(token: string): Promise<void> {
  await send('DELETE', '/identity/v3/auth/tokens', { token, headers: { 'x-subject-token': token }, keepalive: true })
}

/** The projects in which the user has a role. */
export const projectsQuery = (userId: string) =>
  queryOptions({
    queryKey: ['projects', userId],
    queryFn: ({ signal }) => listProjects(session.required().token, signal),
    staleTime: 60_000,
  })

async function listProjects(token: string, signal?: AbortSignal): Promise<Project[]> {
  const response = await send('GET', '/identity/v3/auth/projects', { token, ...(signal ? { signal } : {}) })
  const { projects } = (await response.json()) as { projects: Project[] }
  return projects.filter((project) => project.enabled).sort((a, b) => a.name.localeCompare(b.name))
}

async function issue(auth: object, headers: Readonly<Record<string, string>> = {}): Promise<Issued> {
  const sending: Sending = { body: { auth }, headers }
  const response = await send('POST', '/identity/v3/auth/tokens', sending)
  const { token } = (await response.json()) as { token: TokenBody }
  return { token: response.headers.get('x-subject-token') ?? '', facts: token }
}
