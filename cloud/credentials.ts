/** Who may log in to a fresh cloud, and the `clouds.yaml` that says so. */
import { chmod, writeFile } from 'node:fs/promises'
import type { Secret } from '#base/secret.ts'
import { stringify } from 'yaml'
import type { Secrets } from './secrets.ts'

export interface CloudLogin {
  cloud: string
  username: string
  password: Secret
  project_name: string
}

export interface CloudCredentials {
  region: string
  user: CloudLogin
  admin: CloudLogin
}

export function credentialsOf(secrets: Secrets, region: string): CloudCredentials {
  return {
    region,
    user: { cloud: 'ondol', username: 'demo', password: secrets.get('user:demo'), project_name: 'demo' },
    admin: { cloud: 'ondol-admin', username: 'admin', password: secrets.get('user:admin'), project_name: 'admin' },
  }
}

export function cloudsYaml(credentials: CloudCredentials, url: string): string {
  const entry = (login: CloudLogin): object => ({
    auth: { auth_url: `${url}/identity/v3`, username: login.username, password: login.password.reveal(), project_name: login.project_name, user_domain_name: 'Default', project_domain_name: 'Default' },
    region_name: credentials.region,
    interface: 'public',
    identity_api_version: 3,
  })
  return stringify({ clouds: { [credentials.user.cloud]: entry(credentials.user), [credentials.admin.cloud]: entry(credentials.admin) } })
}

/** Mode 0600: it holds passwords. */
export async function writeCloudsYaml(path: string, credentials: CloudCredentials, url: string): Promise<void> {
  await writeFile(path, cloudsYaml(credentials, url), { mode: 0o600 })
  await chmod(path, 0o600)
}
