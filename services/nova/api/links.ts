/** Links as Nova writes them: `self` with the version, `bookmark` without. */
import type { Rq } from '#stack/route.ts'

export interface Link {
  rel: string
  href: string
  type?: string
}

export function linksOf(rq: Rq<unknown>, collection: string, id: string): Link[] {
  return [
    { rel: 'self', href: `${rq.base}/v2.1/${collection}/${id}` },
    { rel: 'bookmark', href: `${rq.base}/${collection}/${id}` },
  ]
}

export const bookmark = (rq: Rq<unknown>, collection: string, id: string): Link[] => [{ rel: 'bookmark', href: `${rq.base}/${collection}/${id}` }]

/** Links to the next page of a list: the request's own URL with another marker. */
export function nextLink(rq: Rq<unknown>, marker: string): Link[] {
  const query = new URLSearchParams(rq.query)
  query.set('marker', marker)
  return [{ rel: 'next', href: `${rq.base}${rq.http.path}?${query.toString()}` }]
}
