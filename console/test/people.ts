/** What people do beside the dashboard: through the API, as the demo user and the administrator of a cloud. */
import assert from 'node:assert/strict'
import type { Cloud } from '../../cloud/start-cloud.ts'

export interface Person {
  project: string
  /** Throws when the answer is no success. */
  ask<Out>(method: string, path: string, body?: object): Promise<Out>
}

export async function logIn(cloud: Cloud, who: 'user' | 'admin'): Promise<Person> {
  const { username, password, project_name } = cloud.credentials[who]
  const domain = { id: 'default' }
  const auth = { identity: { methods: ['password'], password: { user: { name: username, password: password.reveal(), domain } } }, scope: { project: { name: project_name, domain } } }
  const answer = await cloud.fetch('/identity/v3/auth/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ auth }) })
  assert.equal(answer.status, 201)
  const { token } = (await answer.json()) as { token: { project: { id: string } } }
  const headers = { 'x-auth-token': answer.headers.get('x-subject-token')!, 'content-type': 'application/json', 'openstack-api-version': 'compute 2.96' }
  return {
    project: token.project.id,
    async ask<Out>(method: string, path: string, body?: object): Promise<Out> {
      const response = await cloud.fetch(path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
      const text = await response.text()
      assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`)
      return (text === '' ? undefined : JSON.parse(text)) as Out
    },
  }
}

export async function makeServer(person: Person, name: string, networks: 'auto' | 'none' = 'none'): Promise<void> {
  const { images } = await person.ask<{ images: { id: string }[] }>('GET', '/image/v2/images?limit=1')
  await person.ask('POST', '/compute/v2.1/servers', { server: { name, imageRef: images[0]!.id, flavorRef: '42', networks } })
}

/** A project where demo is a member; answers its id. */
export async function makeProject(admin: Person, name: string): Promise<string> {
  const { project } = await admin.ask<{ project: { id: string } }>('POST', '/identity/v3/projects', { project: { name } })
  const { users } = await admin.ask<{ users: { id: string }[] }>('GET', '/identity/v3/users?name=demo')
  const { roles } = await admin.ask<{ roles: { id: string }[] }>('GET', '/identity/v3/roles?name=member')
  await admin.ask('PUT', `/identity/v3/projects/${project.id}/users/${users[0]!.id}/roles/${roles[0]!.id}`)
  return project.id
}
