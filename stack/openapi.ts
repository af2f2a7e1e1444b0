/** OpenAPI 3.1 of a service: its routes and schemas are JSON Schema already, so nothing is translated. */
import type { Route } from './route.ts'
import { atVersion, formatVersion, isVersioned } from './version.ts'

const NEWEST = Number.MAX_SAFE_INTEGER

export function openapiDocument(service: string, routes: readonly Route[]): object {
  const paths: Record<string, Record<string, Record<string, unknown>>> = {}
  for (const route of routes) {
    const path = route.path.replace('+}', '}')
    const at = (paths[path] ??= {})
    const method = route.method.toLowerCase()
    const schema = route.body && (isVersioned(route.body) ? route.body.steps.at(-1)!.value : route.body)
    const known = at[method]
    if (known) {
      // Actions and variants of one path share one OpenAPI operation.
      const content = (known.requestBody as { content: { 'application/json': { schema: { oneOf?: object[] } } } } | undefined)?.content['application/json']
      if (schema && content) content.schema = { oneOf: [...(content.schema.oneOf ?? [content.schema]), schema] }
      ;(known['x-ondol-names'] as string[]).push(route.name)
      continue
    }
    at[method] = {
      operationId: route.name,
      'x-ondol-names': [route.name],
      ...(route.policy ? { 'x-policy': route.policy } : {}),
      ...(route.since ? { 'x-since': formatVersion(route.since) } : {}),
      ...(route.until ? { 'x-until': formatVersion(route.until) } : {}),
      parameters: [...path.matchAll(/\{(\w+)\}/g)].map((match) => ({ name: match[1], in: 'path', required: true, schema: { type: 'string' } })),
      ...(schema || route.action ? { requestBody: { content: { 'application/json': { schema: schema ?? { type: 'object', properties: { [route.action!]: {} }, required: [route.action] } } } } } : {}),
      responses: { [String(atVersion(route.status, NEWEST) ?? 200)]: { description: 'Done' }, default: { description: 'An error in the form of this service' } },
      security: route.access === 'public' ? [] : [{ token: [] }],
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: service, version: '1' },
    paths,
    components: { securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } } },
  }
}
