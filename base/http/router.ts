/**
 * Paths to routes, on find-my-way. Templates are written as in OpenAPI: `/servers/{server_id}/action`; `{name+}` at the end
 * takes the rest of the path with its slashes. Parameters come percent-decoded; a broken escape is no route.
 */
import createRouter from 'find-my-way'

export interface Match<T> {
  route: T
  params: Record<string, string>
}

export interface Router<T> {
  add(method: string, template: string, route: T): void
  find(method: string, path: string): Match<T> | undefined
  /** The methods that this path knows, for 405 and `Allow`. */
  methodsOf(path: string): string[]
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'COPY', 'OPTIONS', 'LOCK', 'UNLOCK'] as const
type Method = (typeof METHODS)[number]

export function router<T>(): Router<T> {
  const table = createRouter({ maxParamLength: 4096, caseSensitive: true, ignoreDuplicateSlashes: true, ignoreTrailingSlash: true })
  const nothing = (): void => {}
  return {
    add(method, template, route) {
      const path = template.replace(/\{(\w+)\+\}$/, '*').replaceAll(/\{(\w+)\}/g, ':$1')
      const rest = /\{(\w+)\+\}$/.exec(template)?.[1]
      table.on(method as Method, path, nothing, { route, rest })
    },
    find(method, path) {
      const found = table.find(method as Method, path)
      if (!found) return undefined
      const { route, rest } = found.store as { route: T; rest?: string }
      const params = found.params as Record<string, string>
      if (rest !== undefined) {
        params[rest] = params['*'] ?? ''
        delete params['*']
      }
      return { route, params }
    },
    methodsOf: (path) => METHODS.filter((method) => table.find(method, path) !== null),
  }
}
