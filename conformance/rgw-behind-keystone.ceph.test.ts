/** Ceph's own Swift door in the catalog, with our Keystone in front: tokens of ours open it, and roles decide. `./ondol test ceph`. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startCloud } from '#cloud/start-cloud.ts'
import { startRadosgw } from '#swift/test/radosgw.maker.ts'

// The tests know what they asked for.
// oxlint-disable-next-line no-explicit-any
type Json = any

const cloud = await startCloud({})
after(() => cloud.close())
const { admin, user: demo } = cloud.credentials
const rgw = await startRadosgw([
  `rgw_keystone_url = ${cloud.url}/identity`,
  'rgw_keystone_api_version = 3',
  `rgw_keystone_admin_user = ${admin.username}`,
  `rgw_keystone_admin_password = ${admin.password.reveal()}`,
  'rgw_keystone_admin_domain = Default',
  `rgw_keystone_admin_project = ${admin.project_name}`,
  'rgw_keystone_accepted_roles = member, admin',
  'rgw_keystone_implicit_tenants = true',
  'rgw_swift_account_in_url = true',
])

if (!rgw) test('radosgw is not installed, or this is not root', { skip: true }, () => {})
else {
  after(() => rgw.stop())
  test('a token of this cloud opens an object gateway that stands in its catalog', async () => {
    const login = async ({ username, password, project_name }: typeof admin): Promise<{ token: string; catalog: Json[]; project: string }> => {
      const answer = await fetch(`${cloud.url}/identity/v3/auth/tokens`, {
        method: 'POST', headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain: { name: 'Default' }, password: password.reveal() } } }, scope: { project: { name: project_name, domain: { name: 'Default' } } } } }),
      })
      const { token } = (await answer.json()) as Json
      return { token: answer.headers.get('x-subject-token')!, catalog: token.catalog, project: token.project.id }
    }
    const root = await login(admin)
    const keystone = async (method: string, path: string, body?: object): Promise<Json> => {
      const answer = await fetch(`${cloud.url}/identity/v3${path}`, { method, headers: { 'x-auth-token': root.token, 'content-type': 'application/json' }, ...(body ? { body: JSON.stringify(body) } : {}) })
      assert.ok(answer.ok, `${path} answered ${answer.status}`)
      return answer.json()
    }
    const { services } = await keystone('GET', '/services?type=object-store')
    const { endpoints } = await keystone('GET', `/endpoints?service_id=${services[0].id}`)
    for (const { id } of endpoints) await keystone('PATCH', `/endpoints/${id}`, { endpoint: { url: `${rgw.url}/swift/v1/AUTH_%(project_id)s` } })
    const user = await login(demo)
    const url = user.catalog.find((one) => one.type === 'object-store').endpoints.find((one: Json) => one.interface === 'public').url as string
    assert.equal(url, `${rgw.url}/swift/v1/AUTH_${user.project}`)
    const ask = (method: string, below: string, token: string, body?: string): Promise<Response> => fetch(`${url}${below}`, { method, headers: { 'x-auth-token': token }, ...(body === undefined ? {} : { body }) })
    assert.equal((await ask('PUT', '/photos', user.token)).status, 201)
    assert.equal((await ask('PUT', '/photos/one', user.token, 'bytes in Ceph')).status, 201)
    assert.equal(await (await ask('GET', '/photos/one', user.token)).text(), 'bytes in Ceph')
    assert.equal((await (await ask('GET', '/photos', user.token)).text()).trim(), 'one')
    assert.equal((await ask('GET', '/photos/one', 'gAAAAno-token-of-anybody')).status, 401)
  })
}
