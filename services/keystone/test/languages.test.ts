/** Errors in the language of who asks; codes and English by default stay. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefersKorean } from '../core/korean.ts'
import { keystoneKit } from './kit.ts'

test('Accept-Language chooses between Korean and English', () => {
  for (const header of ['ko', 'ko-KR', 'ko-KR,ko;q=0.9,en-US;q=0.8', 'fr, ko;q=0.5']) assert.equal(prefersKorean(header), true, header)
  for (const header of [undefined, '', 'en', 'en-US,ko;q=0.5', 'ko;q=0', '*', 'kok']) assert.equal(prefersKorean(header), false, String(header))
})

test('errors of Keystone are told in Korean to who wants it', async () => {
  const k = await keystoneKit()
  try {
    const token = await k.admin()
    const ask = async (path: string, language: string, as: string | undefined = token) => (await k.ask('GET', path, { ...(as === undefined ? {} : { token: as }), headers: { 'accept-language': language } })).json.error
    assert.deepEqual(await ask('/v3/users/nobody', 'ko'), { code: 404, message: '사용자을(를) 찾을 수 없습니다: nobody.', title: '찾을 수 없음' })
    assert.deepEqual(await ask('/v3/users/nobody', 'en'), { code: 404, message: 'Could not find user: nobody.', title: 'Not Found' })
    assert.equal((await ask('/v3/users', 'ko', 'nonsense')).message, '이 요청에는 인증이 필요합니다.')
    const demo = (await k.login('demo', 'demo-secret')).token
    assert.deepEqual(await ask('/v3/users', 'ko', demo), { code: 403, message: '요청한 작업을 수행할 권한이 없습니다: identity:list_users.', title: '금지됨' })
  } finally {
    await k.close()
  }
})
