import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attribute, claimAttributes, oneValue } from './attributes.ts'
import { mapAssertion, type MappingRule, type Requirement } from './mapping.ts'

const rule = (remote: Requirement[], local: MappingRule['local'] = [{ user: { name: '{0}' } }]): MappingRule[] => [{ remote: [{ type: 'User' }, ...remote], local }]
const who = { User: 'jane', Mail: 'jane@evil.example', Groups: 'dev;x-admin;ops' }
const refusal = { kind: 'unauthenticated' }

test('a regular expression holds anywhere in a value, for those let in and those kept out', () => {
  assert.equal(mapAssertion(rule([{ type: 'Mail', not_any_of: ['@evil\\.'], regex: true }]), who), undefined)
  assert.equal(mapAssertion(rule([{ type: 'Mail', any_one_of: ['@evil\\.'], regex: true }]), who)?.user.name, 'jane')
  assert.equal(mapAssertion(rule([{ type: 'Mail', any_one_of: ['^evil'], regex: true }]), who), undefined)
  const kept = mapAssertion(rule([{ type: 'Groups', blacklist: ['admin'], regex: true }], [{ user: { name: '{0}' } }, { groups: '{1}', domain: { id: 'default' } }]), who)
  assert.deepEqual(kept?.groups.map((group) => group.name), ['dev', 'ops'])
})

test('flags and named groups may be written as Python writes them, and what cannot be read lets nobody in', () => {
  assert.equal(mapAssertion(rule([{ type: 'Mail', not_any_of: ['(?i)EVIL'], regex: true }]), who), undefined)
  assert.ok(mapAssertion(rule([{ type: 'Mail', any_one_of: ['(?P<name>jane)@'], regex: true }]), who))
  assert.throws(() => mapAssertion(rule([{ type: 'Mail', not_any_of: ['('], regex: true }]), who), refusal)
})

test('a rule that refers to a value nobody gives lets nobody in', () => {
  assert.throws(() => mapAssertion(rule([], [{ user: { name: 'x{1}' } }]), who), refusal)
  assert.throws(() => mapAssertion(rule([{ type: 'Mail', any_one_of: ['jane@evil.example'] }], [{ user: { name: '{1}' } }]), who), refusal)
})

test('a user has one name: neither none nor several', () => {
  for (const whitelist of [[], ['dev', 'ops']]) assert.throws(() => mapAssertion(rule([{ type: 'Groups', whitelist }], [{ user: { name: '{1}' } }]), who), refusal)
})

test('what came as one value stays one, whatever is written in it', () => {
  const groups = (given: string | string[], text = '{1}', domain: object | undefined = { id: 'default' }) =>
    mapAssertion(rule([{ type: 'Groups' }], [{ user: { name: '{0}' } }, { groups: text, ...(domain ? { domain } : {}) }]), { User: 'jane', Groups: given })?.groups.map((group) => group.name)
  assert.deepEqual(groups('dev;ops'), ['dev', 'ops'], 'a header separates by semicolons')
  assert.deepEqual(groups(['dev;ops']), ['dev;ops'])
  assert.deepEqual(groups(['dev;ops', 'x']), ['dev;ops', 'x'])
  assert.deepEqual(groups(['dev'], 'x-{1};y'), ['x-dev', 'y'])
  assert.throws(() => groups(['dev;admins'], 'x-{1}'), refusal)
})

test("groups of another Keystone name their domain, unless the rule names it", () => {
  const groups = (value: string, more: object = {}) => mapAssertion(rule([{ type: 'Groups' }], [{ user: { name: '{0}' } }, { groups: '{1}', ...more }]), { User: 'jane', Groups: [value] })?.groups
  const value = 'JSON:{"name":"dev","domain":{"name":"Default"}}'
  assert.deepEqual(groups(value), [{ name: 'dev', domain: { name: 'Default' } }])
  assert.deepEqual(groups(value, { domain: { id: 'x' } }), [{ name: value, domain: { id: 'x' } }])
  for (const bad of ['JSON:', 'JSON:{"name":"dev"}', 'JSON:{"name":["dev"],"domain":{"name":"Default"}}', 'JSON:null', 'JSON:{"name":"dev","domain":{"name":5}}']) assert.throws(() => groups(bad), refusal, bad)
})

test('claims are attributes; none can pass for another by the case of its name', () => {
  const found = claimAttributes({ iss: 'https://idp.example', sub: '1', Groups: ['admins'], groups: ['staff'], realm_access: { roles: ['a', 'b;c', 3, null, 'd\0'] }, empty: [], flag: false })
  assert.deepEqual(attribute(found, 'OIDC-groups'), ['staff'])
  assert.deepEqual(attribute(found, 'HTTP_OIDC_GROUPS'), ['staff'])
  assert.deepEqual(attribute(found, 'OIDC-realm_access.roles'), ['a', 'b;c', '3'])
  assert.equal(oneValue(found, 'REMOTE_USER'), '1@idp.example')
  assert.equal(oneValue(found, 'OIDC-realm_access.roles'), undefined, 'not one value')
  assert.equal(oneValue(found, 'OIDC-flag'), 'false')
  assert.equal(attribute(found, 'OIDC-empty'), undefined)
})
