/** Korean for the titles and messages of errors. What has no translation stays English: half a sentence of each helps nobody. */
import { RULE_WORDS, SCHEMA_WORDS, type Translation } from './korean-messages.ts'
import { noun } from './korean-nouns.ts'

const TITLES: Readonly<Record<number, string>> = {
  400: '잘못된 요청',
  401: '인증되지 않음',
  403: '금지됨',
  404: '찾을 수 없음',
  405: '허용되지 않는 메서드',
  406: '허용되지 않음',
  409: '충돌',
  410: '사라짐',
  411: '길이 필요',
  413: '요청 본문이 너무 큼',
  415: '지원되지 않는 미디어 유형',
  500: '내부 서버 오류',
  501: '구현되지 않음',
  503: '서비스를 사용할 수 없음',
}

const MESSAGES: readonly Translation[] = [
  [/^The request you have made requires authentication\.$/, () => '이 요청에는 인증이 필요합니다.'],
  [/^You are not authorized to perform the requested action: (.+)\.$/s, (action) => `요청한 작업을 수행할 권한이 없습니다: ${inKorean(RULE_WORDS, action)}.`],
  [/^Could not find ([^:]+): (.+)\.$/s, (what, id) => `${noun(what)}을(를) 찾을 수 없습니다: ${id}.`],
  [/^Conflict occurred attempting to store ([\w ]+) - (.+)\.$/s, (what, why) => `${noun(what)} 저장 중 충돌이 발생했습니다 - ${why}.`],
  [/^Invalid input for field '([^']+)': (.+)$/s, (field, why) => `'${field}' 필드의 입력이 잘못되었습니다: ${inKorean(SCHEMA_WORDS, why)}`],
  [/^Expecting to find (.+) in (.+)\.$/s, (what, where) => `${where}에 ${what}이(가) 있어야 합니다.`],
  [/^The resource could not be found\.$/, () => '리소스를 찾을 수 없습니다.'],
  [/^The method (\w+) is not allowed for this resource\.$/, (method) => `이 리소스에는 ${method} 메서드를 사용할 수 없습니다.`],
  [/^Malformed JSON in request body$/, () => '요청 본문의 JSON 형식이 잘못되었습니다.'],
  [/^Malformed request body: a JSON body is required\.$/, () => '요청 본문이 잘못되었습니다: JSON 본문이 필요합니다.'],
  [/^The password is expired and needs to be changed for user: (.+)\.$/, (user) => `비밀번호가 만료되어 변경해야 합니다. 사용자: ${user}.`],
  [/^The password does not match the requirements: (.+)\.$/s, (why) => `비밀번호가 요구 사항에 맞지 않습니다: ${why}.`],
  [/^Domain is disabled: (.+)\.$/, (id) => `도메인이 비활성화되어 있습니다: ${id}.`],
  [/^The identity provider did not answer\.$/, () => '인증 공급자가 응답하지 않았습니다.'],
  [/^Identity Provider (.+) is disabled\.$/, (id) => `인증 공급자 ${id}이(가) 비활성화되어 있습니다.`],
  [/^(.+) is not a trusted dashboard host$/, (origin) => `${origin}은(는) 신뢰할 수 있는 대시보드 호스트가 아닙니다.`],
  [/^Service Provider (.+) is disabled$/, (id) => `서비스 공급자 ${id}이(가) 비활성화되어 있습니다.`],
  [/^Cannot (update|delete) immutable resource (\w+) (.+)\.$/, (verb, what, id) => `변경할 수 없는 리소스를 ${verb === 'update' ? '수정' : '삭제'}할 수 없습니다: ${noun(what)} ${id}.`],
]

/** True when Korean is the best that `Accept-Language` takes of Korean and English. */
export function prefersKorean(header: string | undefined): boolean {
  if (header === undefined || !/\bko\b/i.test(header)) return false
  const weight = (language: RegExp): number =>
    Math.max(0, ...header.split(',').filter((one) => language.test(one.trim())).map((one) => Number(/;\s*q=([\d.]+)/.exec(one)?.[1] ?? 1)))
  const korean = weight(/^ko\b/i)
  return korean > 0 && korean >= weight(/^en\b/i)
}

export function koreanTitle(status: number): string | undefined {
  return TITLES[status]
}

export function koreanMessage(message: string): string {
  return inKorean([...MESSAGES, ...RULE_WORDS, ...SCHEMA_WORDS], message)
}

function inKorean(words: readonly Translation[], message: string): string {
  for (const [pattern, korean] of words) {
    const found = pattern.exec(message)
    if (found) return korean(...found.slice(1))
  }
  return message
}
