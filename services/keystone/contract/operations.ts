/** What other houses ask of Keystone. */
import { operation } from '#stack/contract.ts'
import type { Limit, Project, RegisteredLimit, Role, TokenBody, Trust, User } from './types.ts'

/** `next` is null on the last page; a list without `limit` may be cut where the cloud cuts lists. */
export interface Paged {
  links: { next: string | null }
}
type Page = { limit?: number; marker?: string }

export const showProject = operation<{ params: { project_id: string } }, { project: Project }>('GET', '/v3/projects/{project_id}')
export const listProjects = operation<{ query?: { name?: string; domain_id?: string; enabled?: boolean; } & Page }, { projects: Project[] } & Paged>('GET', '/v3/projects')
export const showUser = operation<{ params: { user_id: string } }, { user: User }>('GET', '/v3/users/{user_id}')
export const listUsers = operation<{ query?: { name?: string; domain_id?: string } }, { users: User[] }>('GET', '/v3/users')
export const listRoles = operation<{ query?: { name?: string } }, { roles: Role[] }>('GET', '/v3/roles')
export const createProject = operation<{ body: { project: { name: string; domain_id?: string; description?: string } } }, { project: Project }>('POST', '/v3/projects')
export const createUser = operation<{ body: { user: { name: string; password?: string; domain_id?: string; default_project_id?: string; description?: string } } }, { user: User }>('POST', '/v3/users')
export const deleteUser = operation<{ params: { user_id: string } }>('DELETE', '/v3/users/{user_id}')
export const grantRole = operation<{ params: { project_id: string; user_id: string; role_id: string } }>('PUT', '/v3/projects/{project_id}/users/{user_id}/roles/{role_id}')
export const createTrust = operation<
  { body: { trust: { trustor_user_id: string; trustee_user_id: string; project_id: string; impersonation: boolean; roles: ({ id: string } | { name: string })[]; allow_redelegation?: boolean; expires_at?: string } } },
  { trust: Trust }
>('POST', '/v3/OS-TRUST/trusts')
export const deleteTrust = operation<{ params: { trust_id: string } }>('DELETE', '/v3/OS-TRUST/trusts/{trust_id}')
export const listLimits = operation<{ query?: { service_id?: string; region_id?: string; resource_name?: string; project_id?: string } & Page }, { limits: Limit[] } & Paged>('GET', '/v3/limits')
export const listRegisteredLimits = operation<{ query?: { service_id?: string; region_id?: string; resource_name?: string } & Page }, { registered_limits: RegisteredLimit[] } & Paged>('GET', '/v3/registered_limits')
export const showLimitModel = operation<Record<string, never>, { model: { name: 'flat' | 'strict_two_level'; description: string } }>('GET', '/v3/limits/model')

/** `blob` is JSON; of EC2 credentials, whose id is the SHA-256 of their access key: `{access, secret}`. Only for services. */
export const showCredential = operation<{ params: { credential_id: string } }, { credential: { id: string; type: string; blob: string; user_id: string; project_id: string | null } }>('GET', '/v3/credentials/{credential_id}')

/** Judges a signature over a request in the manner of S3: `token` is the string that was signed, in base64. Only for services. */
export const validateS3 = operation<{ body: { credentials: { access: string; signature: string; token: string } } }, { token: TokenBody }>('POST', '/v3/s3tokens')
/** The same for EC2's signatures, versions 0, 1, 2 and 4. */
export const validateEc2 = operation<
  { body: { ec2Credentials: { access: string; signature: string; host?: string; verb?: string; path?: string; params?: Readonly<Record<string, string>>; headers?: Readonly<Record<string, string>>; body_hash?: string } } },
  { token: TokenBody }
>('POST', '/v3/ec2tokens')

export const listServices = operation<{ query?: { type?: string; name?: string } }, { services: { id: string; type: string; name: string; enabled: boolean }[] }>('GET', '/v3/services')
export const listEndpoints = operation<{ query?: { interface?: string; service_id?: string; region_id?: string } }, { endpoints: { id: string; service_id: string; interface: string; region_id: string | null; url: string }[] }>('GET', '/v3/endpoints')
