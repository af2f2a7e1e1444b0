/** How Keystone speaks. */
import { type Dialect, JSON_HEADERS, type SchemaProblem, TITLES } from '#stack/dialect.ts'
import { koreanMessage, koreanTitle, prefersKorean } from './core/korean.ts'
import { jsonschemaText } from '#stack/schema.ts'

export function keystoneWording(path: string, problem: SchemaProblem): string {
  const text = jsonschemaText(problem)
  return path === '' ? text : `Invalid input for field '${path}': ${text}`
}

export const dialect: Dialect = {
  service: 'keystone',
  serviceType: 'identity',
  order: 'authorize-first',
  maxBody: 114_688,
  status: { conflict: 409, over_quota: 403 },
  refusal: (rule) => `You are not authorized to perform the requested action: ${rule}.`,
  schemaError: keystoneWording,
  errorBody(fault, status, _requestId, request) {
    const korean = prefersKorean(request.headers['accept-language'])
    const title = TITLES[status] ?? 'Error'
    return {
      headers: { ...JSON_HEADERS, ...(korean ? { 'content-language': 'ko' } : {}) },
      body: JSON.stringify({ error: { code: status, message: korean ? koreanMessage(fault.message) : fault.message, title: korean ? (koreanTitle(status) ?? title) : title } }),
    }
  },
  headers: () => ({ vary: 'X-Auth-Token' }),
}
