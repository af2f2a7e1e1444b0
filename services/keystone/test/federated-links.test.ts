/** Users of ours whom an identity provider knows, too. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type KeystoneKit, keystoneKit } from './kit.ts'

let k: KeystoneKit
let admin: string
before(async () => {
  k = await keystoneKit({ federation: { trust_headers_from: ['local'] } })
  admin = await k.admin()
  const put = async (path: string, body: object): Promise<void> => assert.equal((await k.ask('PUT', `/v3/OS-FEDERATION/${path}`, { token: admin, body })).status, 201, path)
  await put('identity_providers/corp', { identity_provider: { enabled: true } })
  await put('mappings/m', { mapping: { rules: [{ local: [{ user: { id: '{0}', name: '{0}' } }], remote: [{ type: 'Corp-Name' }] }] } })
  await put('identity_providers/corp/protocols/mapped', { protocol: { mapping_id: 'm' } })
})
after(() => k.close())

const federated = (unique_id: string, idp_id = 'corp', protocol_id = 'mapped') => [{ idp_id, protocols: [{ protocol_id, unique_id }] }]
const post = (user: object) => k.ask('POST', '/v3/users', { token: admin, body: { user } })

test('a user is made with a link, shown with it, found by it, and logs in by it', async () => {
  const made = await post({ name: 'linked', password: 'pw', federated: federated('l-17') })
  assert.equal(made.status, 201, made.text)
  const { id } = made.json.user
  assert.deepEqual(made.json.user.federated, federated('l-17'))
  const shown = (await k.ask('GET', `/v3/users/${id}`, { token: admin })).json.user
  assert.deepEqual(shown.federated, federated('l-17'))
  assert.deepEqual((await k.ask('GET', '/v3/users?idp_id=corp&unique_id=l-17', { token: admin })).json.users.map((one: { id: string }) => one.id), [id])
  const login = await k.ask('POST', '/v3/OS-FEDERATION/identity_providers/corp/protocols/mapped/auth', { headers: { 'corp-name': 'l-17' } })
  assert.equal(login.status, 201, login.text)
  assert.equal(login.json.token.user.id, id)
  assert.equal((await k.login('linked', 'pw', null)).answer.status, 201, 'the password is good, too')
})

test('a change lays other links in the place of those there were, and one without leaves them', async () => {
  const { id } = (await post({ name: 'moved', federated: federated('m-1') })).json.user
  const patch = (user: object) => k.ask('PATCH', `/v3/users/${id}`, { token: admin, body: { user } })
  assert.deepEqual((await patch({ description: 'changed' })).json.user.federated, federated('m-1'))
  assert.deepEqual((await patch({ federated: federated('m-2') })).json.user.federated, federated('m-2'))
  assert.deepEqual((await k.ask('GET', '/v3/users?unique_id=m-1', { token: admin })).json.users, [])
})

test('what is not there, or is another user’s, is refused', async () => {
  const nobody = await post({ name: 'a', federated: federated('x', 'nobody') })
  assert.equal(nobody.status, 400)
  assert.match(nobody.json.error.message, /Could not find Identity Provider: nobody/)
  assert.equal((await post({ name: 'a', federated: federated('x', 'corp', 'nothing') })).status, 400)
  assert.equal((await post({ name: 'a', federated: [{ idp_id: 'corp' }] })).status, 400)
  assert.equal((await post({ name: 'first', federated: federated('same') })).status, 201)
  assert.equal((await post({ name: 'second', federated: federated('same') })).status, 409)
  assert.deepEqual((await k.ask('GET', '/v3/users?name=second', { token: admin })).json.users, [], 'nothing of it stays')
})
