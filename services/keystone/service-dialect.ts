/** How Keystone speaks. */
import { type Dialect, JSON_HEADERS, type SchemaProblem, TITLES } from '#stack/dialect.ts'
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
  errorBody: (fault, status) => ({
    headers: { ...JSON_HEADERS },
    body: JSON.stringify({ error: { code: status, message: fault.message, title: TITLES[status] ?? 'Error' } }),
  }),
  headers: () => ({ vary: 'X-Auth-Token' }),
}
