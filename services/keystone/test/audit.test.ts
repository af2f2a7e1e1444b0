/** What an audit trail hears on the bus: logins that went well and ill, changes, by whom and with which request. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import type { Notification } from '../api/audit.ts'
import { NOTIFICATIONS_TOPIC } from '../contract/topics.ts'
import { percent } from '../core/aws-signature.ts'
import { keystoneKit } from './kit.ts'

/** OAuth 1.0a without a token, for a POST. */
function signed(url: string, consumer: { id: string; secret: string }): string {
  const params: Record<string, string> = { oauth_callback: 'oob', oauth_consumer_key: consumer.id, oauth_nonce: 'once', oauth_signature_method: 'HMAC-SHA1', oauth_timestamp: String(Math.floor(Date.now() / 1000)), oauth_version: '1.0' }
  const pairs = Object.entries(params).map(([key, value]) => `${percent(key)}=${percent(value)}`).sort().join('&')
  const oauth_signature = createHmac('sha1', `${percent(consumer.secret)}&`).update(`POST&${percent(url)}&${percent(pairs)}`).digest('base64')
  return `OAuth ${Object.entries({ ...params, oauth_signature }).map(([key, value]) => `${key}="${percent(value)}"`).join(', ')}`
}

test('logins and changes are told as CADF events, without secrets', async () => {
  const k = await keystoneKit()
  const heard: Notification[] = []
  const serving = await k.kit.parts.bus.serve(NOTIFICATIONS_TOPIC, { info: (notification: Notification) => void heard.push(notification) })
  const until = async (type: string, outcome = 'success'): Promise<Notification> => {
    for (let i = 0; i < 200; i++) {
      const found = heard.find((one) => one.event_type === type && one.payload.outcome === outcome)
      if (found) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.fail(`never heard ${type} ${outcome}: ${heard.map((one) => one.event_type).join()}`)
  }
  try {
    const { token, answer } = await k.login('admin', 'admin-secret')
    const admin = answer.json.token.user.id
    const login = await until('identity.authenticate')
    assert.deepEqual((login.payload.initiator as { user_id: string }).user_id, admin)
    const made = await k.ask('POST', '/v3/users', { token, body: { user: { name: 'eve', domain_id: 'default', password: 'eve-secret' } } })
    const created = await until('identity.user.created')
    assert.deepEqual(created.payload.target, { typeURI: 'data/security/account/user', id: made.json.user.id })
    assert.equal(created.payload.action, 'created.user')
    const initiator = created.payload.initiator as { user_id: string; request_id: string }
    assert.equal(initiator.user_id, admin)
    assert.equal(initiator.request_id, made.headers['x-openstack-request-id'])
    const { id: role } = (await k.ask('GET', '/v3/roles?name=reader', { token })).json.roles[0]
    const grant = `/v3/system/users/${made.json.user.id}/roles/${role}`
    assert.equal((await k.ask('PUT', grant, { token })).status, 204)
    const granted = await until('identity.role_assignment.created')
    assert.deepEqual([granted.payload.action, granted.payload.user, granted.payload.role, granted.payload.system, granted.payload.inherited_to_projects], ['created.role_assignment', made.json.user.id, role, 'all', false])
    assert.equal((await k.ask('DELETE', grant, { token })).status, 204)
    await until('identity.role_assignment.deleted')
    const { consumer } = (await k.ask('POST', '/v3/OS-OAUTH1/consumers', { token, body: { consumer: {} } })).json
    const asked = await k.ask('POST', '/v3/OS-OAUTH1/request_token', { headers: { 'requested-project-id': answer.json.token.project.id, authorization: signed('http://127.0.0.1:5000/v3/OS-OAUTH1/request_token', consumer) } })
    assert.equal(asked.status, 201, asked.text)
    const requested = await until('identity.OS-OAUTH1:request_token.created')
    assert.equal((requested.payload.target as { id: string }).id, new URLSearchParams(asked.text).get('oauth_token'))
    assert.equal(JSON.stringify(heard).includes(new URLSearchParams(asked.text).get('oauth_token_secret')!), false)
    const federation = '/v3/OS-FEDERATION'
    const mapping = { rules: [{ local: [{ user: { name: '{0}' } }], remote: [{ type: 'sub' }] }] }
    const service_provider = { auth_url: 'https://other.example/v3', sp_url: 'https://other.example/acs' }
    for (const [noun, path, body] of [
      ['mapping', 'mappings/m1', { mapping }],
      ['identity_provider', 'identity_providers/p1', { identity_provider: { remote_ids: ['https://p1.example'] } }],
      ['protocol', 'identity_providers/p1/protocols/saml2', { protocol: { mapping_id: 'm1' } }],
      ['service_provider', 'service_providers/s1', { service_provider }],
    ] as const) {
      const put = await k.ask('PUT', `${federation}/${path}`, { token, body })
      assert.equal(put.status, 201, put.text)
      const told = await until(`identity.OS-FEDERATION:${noun}.created`)
      assert.deepEqual(told.payload.target, { typeURI: `data/security/${noun}`, id: path.split('/').at(-1) })
      assert.equal(told.payload.identity_provider, noun === 'protocol' ? 'p1' : undefined)
    }
    assert.equal((await k.ask('PATCH', `${federation}/mappings/m1`, { token, body: { mapping } })).status, 200)
    await until('identity.OS-FEDERATION:mapping.updated')
    assert.equal((await k.ask('DELETE', `${federation}/identity_providers/p1/protocols/saml2`, { token })).status, 204)
    await until('identity.OS-FEDERATION:protocol.deleted')
    await k.ask('DELETE', `/v3/users/${made.json.user.id}`, { token })
    await until('identity.user.deleted')
    await k.login('admin', 'wrong-secret')
    await until('identity.authenticate', 'failure')
    assert.doesNotMatch(JSON.stringify(heard), /secret/)
    assert.equal(JSON.stringify(heard).includes(token), false)
  } finally {
    await serving.close()
    await k.close()
  }
})
