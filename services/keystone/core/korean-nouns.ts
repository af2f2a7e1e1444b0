/** What Keystone keeps, in Korean. */
const NOUNS: Readonly<Record<string, string>> = {
  user: '사용자', group: '그룹', role: '역할', project: '프로젝트', domain: '도메인', region: '리전', service: '서비스', endpoint: '엔드포인트', credential: '자격 증명', trust: '트러스트', token: '토큰', policy: '정책',
  limit: '한도', mapping: '매핑', 'application credential': '애플리케이션 자격 증명', 'access rule': '접근 규칙', 'role assignment': '역할 할당', 'identity provider': '인증 공급자', 'registered limit': '등록된 한도', 'endpoint group': '엔드포인트 그룹',
  consumer: '컨슈머', 'service provider': '서비스 공급자', 'federated protocol': '연합 프로토콜', 'project tag': '프로젝트 태그', 'implied role': '암시된 역할', 'identity_provider': '인증 공급자',
}

export const noun = (word: string): string => NOUNS[word.replaceAll('_', ' ')] ?? word
