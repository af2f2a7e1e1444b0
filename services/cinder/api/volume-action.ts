/** One verb of `POST /volumes/{volume_id}/action`: the volume of the path, judged by the rule, and what is done to it. */
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import type { ApiVersion } from '#stack/version.ts'
import type { Cinder } from '../house.ts'
import type { VolumeRow } from '../store/tables.ts'
import { actionBody } from './body.ts'
import { loadVolume } from './load.ts'

type Work<Body> = (house: Cinder, rq: Rq<Body>, volume: VolumeRow) => Promise<Reply | void>

export interface VolumeAction {
  /** Default 202. */
  status?: number
  since?: ApiVersion
}

export function volumeAction<Body = unknown>(action: string, rule: string, inner: object, work: Work<Body>, { status = 202, since }: VolumeAction = {}): (house: Cinder) => Route {
  return (house) =>
    route<Body>({
      method: 'POST', path: '/volumes/{volume_id}/action', action, name: `volumes.${action}`, body: actionBody(action, inner), status, ...(since === undefined ? {} : { since }),
      handle: async (rq) => (await work(house, rq, await loadVolume(house, rq, rq.params.volume_id!, rule))) ?? {},
    })
}
