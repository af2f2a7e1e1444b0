/** Cinder's paths come with and without the project; with it, it must be the token's (microversion 3.67 made it optional, we always do). */
import { invalid } from '#base/fault.ts'
import type { Handler, Route } from '#stack/route.ts'

/** Routes whose paths begin below `/v3` or `/v3/{project_id}`. */
export function scoped(routes: readonly Route[]): Route[] {
  return routes.flatMap((one) => [
    { ...one, path: `/v3/{project_id}${one.path}`, handle: guarded(one.handle) },
    { ...one, path: `/v3${one.path}` },
  ])
}

function guarded(handle: Handler): Handler {
  return (rq) => {
    if (rq.params.project_id !== rq.context.project_id) throw invalid('Malformed request url', { field: 'project_id' })
    return handle(rq)
  }
}
