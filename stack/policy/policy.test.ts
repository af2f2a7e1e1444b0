import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { isFault } from '#base/fault.ts'
import { silentLog } from '#base/log.ts'
import { createEnforcer } from './enforcer.ts'
import { parsePolicyFile, watchedEnforcer } from './file.ts'
import type { CheckText, Credentials, RuleDefault, Target } from './interface.ts'
import { nodeText, parseRule, PolicySyntaxError } from './parse.ts'
import { remoteJudge } from './remote.ts'

const alice: Credentials = {
  user_id: 'u-alice',
  project_id: 'p-one',
  user_domain_id: 'default',
  roles: ['member', 'Reader'],
  is_admin: false,
  token: { domain: { id: 'd-one' }, roles: [{ id: 'r1' }, { id: 'r2' }] },
}

const judge = (text: CheckText, target: Target = {}, credentials = alice): boolean =>
  createEnforcer({ defaults: [{ name: 'it', check_str: text }, { name: 'yes', check_str: '@' }, { name: 'no', check_str: '!' }] }).check('it', target, credentials)

const odd: readonly [text: CheckText, target: Target, expected: boolean][] = [
  // nothing, always, never
  ['', {}, true],
  ['   ', {}, true],
  ['@', {}, true],
  ['!', {}, false],
  ['not !', {}, true],
  ['not not @', {}, true],
  // roles: in any case, and from the target
  ['role:member', {}, true],
  ['role:READER', {}, true],
  ['role:admin', {}, false],
  ['role:%(wanted)s', { wanted: 'Member' }, true],
  ['role:%(wanted)s', {}, false],
  // precedence and brackets
  ['@ or ! and !', {}, true],
  ['! and ! or @', {}, true],
  ['(@ or !) and !', {}, false],
  ['not ! and !', {}, false],
  ['not (! or @)', {}, false],
  ['( @ ) and ((@))', {}, true],
  ['@ AND not !', {}, true],
  ['! Or @', {}, true],
  // attributes
  ['project_id:%(project_id)s', { project_id: 'p-one' }, true],
  ['project_id:%(project_id)s', { project_id: 'p-two' }, false],
  ['project_id:%(project_id)s', {}, false],
  ['(role:member and project_id:%(project_id)s)', { project_id: 'p-one' }, true],
  ['tenant_id:%(tenant_id)s', { project_id: 'p-one' }, true],
  ['project_id:%(tenant_id)s', { project_id: 'p-one' }, true],
  ['tenant_id:%(project_id)s', { project_id: 'p-one' }, true],
  ['user_id:u-%(name)s', { name: 'alice' }, true],
  ['is_admin:True', {}, false],
  ['is_admin:False', {}, true],
  ['is_admin:false', {}, false],
  ['domain_id:None', {}, true],
  ['project_id:None', {}, false],
  ['user_domain_id:default', {}, true],
  ['system_scope:all', {}, false],
  // a null belongs to nobody
  ['domain_id:%(domain_id)s', { domain_id: null }, false],
  ['None:%(domain_id)s', { domain_id: null }, true],
  ['not None:%(domain_id)s', { domain_id: 'd' }, true],
  ['None:%(domain_id)s', {}, false],
  // inward, in credentials and target
  ['token.domain.id:%(target.domain.id)s', { target: { domain: { id: 'd-one' } } }, true],
  ['token.domain.id:%(target.domain.id)s', { 'target.domain.id': 'd-one' }, true],
  ['token.domain.id:%(target.domain.id)s', { target: {} }, false],
  ['token.roles.id:r2', {}, true],
  ['token.roles.id:r3', {}, false],
  ['token.nothing.id:r3', {}, false],
  // literals
  ["'public':%(visibility)s", { visibility: 'public' }, true],
  ['"public":%(visibility)s', { visibility: 'private' }, false],
  ['True:%(shared)s', { shared: true }, true],
  ["'True':%(shared)s", { shared: true }, true],
  ['False:%(shared)s', { shared: false }, true],
  ['1:%(count)s', { count: 1 }, true],
  ["'a':b", {}, false],
  // fields
  ['field:networks:shared=True', { shared: true }, true],
  ['field:networks:shared=True', { shared: false }, false],
  ['field:networks:shared=True', {}, false],
  ['field:networks:shared=True', { 'network:shared': true }, true],
  ['field:networks:shared=True', { network: { shared: true } }, true],
  ['field:networks:router:external=True', { 'router:external': true }, true],
  ['field:port:device_owner=~^network:', { device_owner: 'network:dhcp' }, true],
  ['field:port:device_owner=~network:', { device_owner: 'a network:dhcp' }, false],
  ['field:port:device_owner=~^network:', { device_owner: null }, false],
  ['field:rbac_policy:target_tenant=*', { target_tenant: '*' }, true],
  // parents
  ['project_id:%(network:project_id)s', { 'network:project_id': 'p-one' }, true],
  ['tenant_id:%(network:tenant_id)s', { network: { project_id: 'p-one' } }, true],
  ['project_id:%(ext_parent:project_id)s', { ext_parent: { project_id: 'p-one' } }, true],
  ['project_id:%(ext_parent:project_id)s', { ext_parent: { project_id: 'p-two' } }, false],
  // nobody inherits from the prototype
  ['constructor:%(constructor)s', {}, false],
  ['toString:None', {}, false],
  // the old form
  [[], {}, true],
  [[[]], {}, false],
  [['role:admin', 'role:member'], {}, true],
  [[['role:admin', 'role:member'], ['role:reader']], {}, true],
  [[['role:admin', 'role:member']], {}, false],
  // other rules
  ['rule:yes', {}, true],
  ['rule:no or not rule:yes', {}, false],
  ['rule:missing', {}, false],
  // remote judges deny when nobody may ask, also the other way round
  ['http://judge/x', {}, false],
  ['not http://judge/x', {}, false],
  ['role:member or https://judge/x', {}, true],
]

test('odd expressions mean what they mean in OpenStack', () => {
  for (const [text, target, expected] of odd) assert.equal(judge(text, target), expected, `${JSON.stringify(text)} on ${JSON.stringify(target)}`)
})

test('unreadable text is named with its place, and denies', () => {
  for (const text of ['and', 'role:a role:b', '(role:a', 'role:a)', 'role:a or', 'not', 'nonsense', ':x', '"text"', 'field:x', 'field:ports:name=~(', '( )']) {
    const enforcer = createEnforcer({ defaults: [{ name: 'it', check_str: text }] })
    assert.equal(enforcer.check('it', {}, { roles: ['a', 'b', 'admin'] }), false, text)
    assert.deepEqual(enforcer.problems.map((problem) => [problem.rule, problem.kind]), [['it', 'syntax']], text)
  }
  assert.throws(() => parseRule('role:a role:b'), (thrown) => thrown instanceof PolicySyntaxError && /between two checks/.test(thrown.message))
})

test('text comes back from the tree', () => {
  for (const text of ['@', 'not (role:a or role:b)', '(role:a or role:b) and role:c', 'role:a or role:b and role:c', "'x':%(y)s"]) assert.equal(nodeText(parseRule(text)), text)
})

test('a rule in a circle, and one that leads into it, deny and are named', () => {
  const enforcer = createEnforcer({
    defaults: [
      { name: 'a', check_str: 'rule:b or role:admin' },
      { name: 'b', check_str: 'not rule:a' },
      { name: 'c', check_str: 'not rule:b' },
      { name: 'd', check_str: 'role:admin' },
    ],
  })
  const admin: Credentials = { roles: ['admin'] }
  assert.deepEqual(['a', 'b', 'c', 'd'].map((rule) => enforcer.check(rule, {}, admin)), [false, false, false, true])
  assert.deepEqual(enforcer.problems.map((problem) => `${problem.kind} ${problem.rule}`).sort(), ['cycle a', 'cycle b', 'cycle c'])
})

test('an unknown rule falls back to `default`, else denies', () => {
  assert.equal(createEnforcer({ defaults: [{ name: 'default', check_str: 'role:member' }] }).check('new', {}, alice), true)
  assert.equal(createEnforcer({ defaults: [{ name: 'other', check_str: '@' }] }).check('new', {}, alice), false)
  assert.equal(createEnforcer({ defaults: [{ name: 'default', check_str: 'role:member' }, { name: 'it', check_str: 'rule:new' }] }).check('it', {}, alice), true)
})

const changed: RuleDefault = { name: 'thing:get', check_str: 'role:admin', deprecated_rule: { name: 'thing:show', check_str: 'role:member' } }

test('a deprecated rule allows until the new defaults are enforced', () => {
  assert.equal(createEnforcer({ defaults: [changed], enforce_new_defaults: false }).check('thing:get', {}, alice), true)
  assert.equal(createEnforcer({ defaults: [changed] }).check('thing:get', {}, alice), false)
})

test('an override wins, by the new name or the old', () => {
  assert.equal(createEnforcer({ defaults: [changed], overrides: { 'thing:get': 'role:reader' } }).check('thing:get', {}, alice), true)
  assert.equal(createEnforcer({ defaults: [changed], overrides: { 'thing:get': '!' }, enforce_new_defaults: false }).check('thing:get', {}, alice), false)
  assert.equal(createEnforcer({ defaults: [changed], overrides: { 'thing:show': 'role:reader' } }).check('thing:get', {}, alice), true)
  assert.equal(createEnforcer({ defaults: [changed], overrides: { 'thing:show': 'role:member' } }).check('thing:get', {}, alice), false, 'the old default is no wish')
})

test('scope types bind the rule that is asked for, and only that', () => {
  const defaults: RuleDefault[] = [
    { name: 'sys', check_str: 'role:reader', scope_types: ['system'] },
    { name: 'any', check_str: 'rule:sys', scope_types: null },
  ]
  const system: Credentials = { roles: ['reader'], system_scope: 'all' }
  const enforcer = createEnforcer({ defaults })
  assert.deepEqual([enforcer.check('sys', {}, alice), enforcer.check('sys', {}, system), enforcer.check('any', {}, alice)], [false, true, true])
  assert.equal(enforcer.explain('sys', {}, alice).reason, 'scope')
  assert.equal(createEnforcer({ defaults, enforce_scope: false }).check('sys', {}, alice), true)
})

test('remote judges are asked once each; one that fails never allows', async () => {
  const asked: string[] = []
  const fetch = async (url: string, init: { body: string }) => {
    asked.push(url)
    if (url.includes('down')) throw new Error('refused')
    assert.equal(new URLSearchParams(init.body).get('rule'), '"it"')
    return { ok: true, text: async () => (url.includes('yes') ? '"True"' : 'False') }
  }
  const decide = (text: string, target: Target = {}) => createEnforcer({ defaults: [{ name: 'it', check_str: text }], remote: remoteJudge(fetch) }).decide('it', target, alice)
  assert.equal(await decide('http://yes/%(name)s', { name: 'n1' }), true)
  assert.deepEqual(asked, ['http://yes/n1'])
  assert.equal(await decide('http://no/'), false)
  assert.equal(await decide('not http://no/'), true)
  assert.equal(await decide('http://yes/ and (https://yes/2 or !)'), true)
  assert.equal(await decide('not http://down/'), false)
  assert.equal(await decide('http://down/ or http://yes/'), true)
})

test('an explanation names the checks and the roles that would do, and no value', () => {
  const enforcer = createEnforcer({
    defaults: [
      { name: 'context_is_admin', check_str: 'role:admin' },
      { name: 'owner_manager', check_str: 'role:manager and project_id:%(project_id)s' },
      { name: 'it', check_str: 'rule:context_is_admin or rule:owner_manager' },
      { name: 'never', check_str: '!' },
    ],
  })
  const other = enforcer.explain('it', { project_id: 'p-secret' }, alice)
  assert.equal(other.allowed, false)
  assert.deepEqual(other.roles_that_would_do, ['admin'])
  assert.deepEqual(other.failed, [
    { check: 'role:admin', rule: 'context_is_admin', why: 'the role is missing' },
    { check: 'role:manager', rule: 'owner_manager', why: 'the role is missing' },
    { check: 'project_id:%(project_id)s', rule: 'owner_manager', why: 'project_id of the credentials is not that of the target' },
  ])
  assert.doesNotMatch(JSON.stringify(other), /p-secret|p-one|u-alice/)
  assert.deepEqual(enforcer.explain('it', { project_id: 'p-one' }, alice).roles_that_would_do, ['admin', 'manager'])
  assert.equal(enforcer.explain('it', {}, alice).failed.at(-1)?.why, 'the target has no project_id')
  assert.equal(enforcer.explain('it', {}, { roles: ['admin'] }).reason, 'allowed')
  assert.equal(enforcer.explain('unheard', {}, alice).reason, 'no_rule')
  assert.match(enforcer.explain('never', {}, alice).message, /No role/)
})

test('a policy file is YAML or JSON, and says what is wrong with it', () => {
  assert.deepEqual(parsePolicyFile('# mine\n"a:b": "role:x"\nold: [[role:a, role:b]]\n'), { 'a:b': 'role:x', old: [['role:a', 'role:b']] })
  assert.deepEqual(parsePolicyFile('{"a": "@"}'), { a: '@' })
  assert.deepEqual(parsePolicyFile('# nothing\n'), {})
  for (const bad of ['- a\n', 'a: 3\n', 'a:\n', 'a: {b: c}\n', 'a: "x\n']) assert.throws(() => parsePolicyFile(bad), (thrown) => isFault(thrown, 'invalid'), bad)
})

test('a changed file is taken up at the next question, a broken one is not', () => {
  const clock = new VirtualClock()
  let state: { modified: number; text: string } | undefined
  const file = { path: 'policy.yaml', modified: () => state?.modified, read: () => state!.text }
  const enforcer = watchedEnforcer({ defaults: [{ name: 'it', check_str: '!' }], file, clock, log: silentLog })
  const ask = async (): Promise<boolean> => {
    await clock.advance(1_000)
    return enforcer.check('it', {}, alice)
  }
  return (async () => {
    assert.equal(await ask(), false)
    state = { modified: 1, text: 'it: "role:member"' }
    assert.equal(enforcer.check('it', {}, alice), false, 'not looked at within a second')
    assert.equal(await ask(), true)
    state = { modified: 2, text: 'it: "role:a role:b"' }
    assert.equal(await ask(), true, 'kept')
    state = { modified: 3, text: 'it: "!"' }
    assert.equal(await ask(), false)
    state = { modified: 4, text: 'it: "@"' }
    assert.equal(await ask(), true)
    state = undefined
    assert.equal(await ask(), false, 'gone: the default')
    state = { modified: 5, text: 'it: "(("' }
    assert.throws(() => watchedEnforcer({ defaults: [], file, clock, log: silentLog }), (thrown) => isFault(thrown, 'invalid'))
  })()
})
