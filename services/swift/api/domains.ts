/**
 * Accounts and containers as host names: `container.account.domain/object` and `account.domain/container/object`, with or without `/v1` before it; and
 * names of users' own that are aliases (CNAME) of such names.
 */
import ipaddr from 'ipaddr.js'
import type { HttpRequest } from '#base/http/message.ts'
import type { Swift } from '../house.ts'

export interface Domains {
  /** Whether the request is for a host below the storage domain. */
  claims(request: HttpRequest): boolean | Promise<boolean>
  /** The path under `/v1` that is meant; undefined when the host says nothing of it, empty when it says nonsense. */
  pathOf(request: HttpRequest): Promise<string | undefined>
}

const REMEMBER = 60_000
const MOST = 10_000

/** `aliasOf`: the name that a name is an alias of. */
export function domainsOf(house: Swift, aliasOf: (name: string) => Promise<string | undefined>): Domains {
  const { storage_domain, cname_lookup_depth, reseller_prefix } = house.config
  const domain = `.${storage_domain.toLowerCase()}`
  const now = (): number => house.world.clock.now()
  const known = new Map<string, { name: string | undefined; until: number }>()
  const hostOf = (request: HttpRequest): string => (request.headers.host ?? '').toLowerCase().replace(/:\d+$/, '')
  const follow = async (host: string): Promise<string | undefined> => {
    const cached = known.get(host)
    if (cached && cached.until > now()) return cached.name
    let name: string | undefined = host
    for (let hop = 0; hop < cname_lookup_depth && name !== undefined && !name.endsWith(domain); hop++) name = await aliasOf(name)
    const found = name?.endsWith(domain) ? name : undefined
    if (known.size >= MOST) known.clear()
    known.set(host, { name: found, until: now() + REMEMBER })
    return found
  }
  /** Names that may be aliases: none of this machine's own. */
  const foreign = (host: string): boolean => cname_lookup_depth > 0 && host.includes('.') && !ipaddr.isValid(host) && !host.startsWith('[') && `.${host}` !== domain
  return {
    claims(request) {
      if (storage_domain === '' || request.mount !== undefined) return false
      const host = hostOf(request)
      if (host.endsWith(domain)) return true
      return foreign(host) && follow(host).then((name) => name !== undefined)
    },
    async pathOf(request) {
      if (storage_domain === '') return undefined
      const host = hostOf(request)
      const name = host.endsWith(domain) ? host : foreign(host) ? await follow(host) : undefined
      if (name === undefined) return undefined
      const parts = name.slice(0, -domain.length).split('.')
      const [container, account] = parts.length === 2 ? parts : [undefined, parts[0]]
      if (parts.length > 2 || !account) return ''
      // Host names know no case and no underscore.
      const full = account.replace('-', '_').startsWith(reseller_prefix.toLowerCase()) ? reseller_prefix + account.slice(reseller_prefix.length) : reseller_prefix + account
      const rest = request.path.replace(/^\/v1(?=\/|$)/, '')
      return `/v1/${full}${container === undefined ? '' : `/${container}`}${rest === '' || rest === '/' ? (container === undefined ? '' : '/') : rest}`
    },
  }
}
