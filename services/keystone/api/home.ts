/** JSON Home: where everything is, for clients that ask with `Accept: application/json-home`. */
import type { Route, Rq } from '#stack/route.ts'

const REL = 'https://docs.openstack.org/api/openstack-identity/3/rel/'
const EXTENSION = 'https://docs.openstack.org/api/openstack-identity/3/ext/'
const PARAM = 'https://docs.openstack.org/api/openstack-identity/3/param/'

let made: { routes: readonly Route[]; document: object } | undefined

export function homeDocument(routes: readonly Route[], _rq: Rq): object {
  if (made?.routes !== routes) made = { routes, document: { resources: Object.fromEntries(relations(routes)) } }
  return made.document
}

function relations(routes: readonly Route[]): [string, object][] {
  const paths = new Set(routes.map((route) => route.path).filter((path) => path.startsWith('/v3/')))
  return [...paths].sort().map((path) => {
    const template = path.slice(3)
    const params = [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!)
    const extension = /\/(OS-[A-Z0-9-]+)\//.exec(template)?.[1]
    const words = template.split('/').filter((part) => part && !part.startsWith('OS-'))
    const name = words.filter((part) => !part.startsWith('{')).map((word, i, all) => (i === all.length - 1 && !words.at(-1)!.startsWith('{') ? word : singular(word))).join('_')
    const relation = extension ? `${EXTENSION}${extension}/1.0/rel/${name}` : `${REL}${name}`
    return [relation, params.length === 0 ? { href: template } : { 'href-template': template, 'href-vars': Object.fromEntries(params.map((param) => [param, PARAM + param])) }]
  })
}

function singular(word: string): string {
  if (word.endsWith('ies')) return `${word.slice(0, -3)}y`
  return word.endsWith('s') ? word.slice(0, -1) : word
}
