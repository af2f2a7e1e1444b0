/** Errors in the language of who asks; codes and English by default stay. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { koreanMessage, prefersKorean } from '../core/korean.ts'
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

test('what JSON Schema and the rules of Keystone say is told in Korean, too', () => {
  const told: Record<string, string> = {
    "Invalid input for field 'user/enabled': 'yes' is not of type 'boolean'": "'user/enabled' 필드의 입력이 잘못되었습니다: 'yes'은(는) 'boolean' 유형이 아닙니다",
    "Invalid input for field 'user': 'name' is a required property": "'user' 필드의 입력이 잘못되었습니다: 'name' 속성이 필요합니다",
    "Invalid input for field 'auth': Additional properties are not allowed ('a', 'b' were unexpected)": "'auth' 필드의 입력이 잘못되었습니다: 추가 속성은 허용되지 않습니다(예상치 못한 속성: 'a', 'b')",
    "'role' is a required property": "'role' 속성이 필요합니다",
    'You are not authorized to perform the requested action: rescope a scoped token.': '요청한 작업을 수행할 권한이 없습니다: 범위가 지정된 토큰의 범위를 다시 지정할 수 없습니다.',
    'Cannot change Domain ID': '도메인 ID는 변경할 수 없습니다',
    'Could not find registered limit: x.': '등록된 한도을(를) 찾을 수 없습니다: x.',
    'Nobody has translated this.': 'Nobody has translated this.',
  }
  for (const [english, korean] of Object.entries(told)) assert.equal(koreanMessage(english), korean)
})
