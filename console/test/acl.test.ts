import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessOf, aclsOf, isPart, isPublic } from '../src/api/acl.ts'

test('access lists are read into lines and written back with nothing lost', () => {
  const acls = { read: 'p1:u1, *:u2,.r:*.example.com,.rlistings,alice,.r:*', write: 'p1:u1,p2:*' }
  const access = accessOf(acls)
  assert.deepEqual(access, {
    everyone: true,
    listings: true,
    grants: [{ project: 'p1', user: 'u1', read: true, write: true }, { project: '*', user: 'u2', read: true, write: false }, { project: 'p2', user: '*', read: false, write: true }],
    others: { read: ['.r:*.example.com', 'alice'], write: [] },
  })
  assert.deepEqual(aclsOf(access), { read: 'p1:u1,*:u2,.r:*.example.com,alice,.r:*,.rlistings', write: 'p1:u1,p2:*' })
  assert.equal(isPublic(aclsOf({ ...access, everyone: false }).read), false)
  assert.deepEqual(['*', 'a1', ' a1 ', '.r', 'a,b', 'a:b', ''].map(isPart), [true, true, true, false, false, false, false])
})
