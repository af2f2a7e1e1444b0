/** What an audit trail hears on the bus: logins that went well and ill, changes, by whom and with which request. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Notification } from '../api/audit.ts'
import { NOTIFICATIONS_TOPIC } from '../contract/topics.ts'
import { keystoneKit } from './kit.ts'

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
