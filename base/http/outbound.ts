/**
 * Fetching from an address that a user named (A7, A8). Every hop is resolved first, every address it resolves to is judged, and the
 * connection goes to the address that was judged: a name that answers differently the second time changes nothing.
 */
import { lookup } from 'node:dns/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { Fault, invalid } from '../fault.ts'

export interface OutboundOptions {
  /** `host:port` pairs that may be reached although their address is not public. */
  allow?: readonly string[]
  /** Default 5. */
  redirects?: number
  /** Milliseconds without a byte. Default 30,000. */
  timeout?: number
  signal?: AbortSignal
}

export async function fetchOutbound(target: string, options: OutboundOptions = {}): Promise<IncomingMessage> {
  let url = parseTarget(target)
  for (let hop = 0; hop <= (options.redirects ?? 5); hop++) {
    const answer = await connect(url, options)
    const status = answer.statusCode ?? 0
    if (status < 300 || status >= 400 || !answer.headers.location) {
      if (status >= 400) {
        answer.destroy()
        throw invalid(`${url.host} answered ${status}.`, { field: 'uri' })
      }
      return answer
    }
    answer.destroy()
    url = parseTarget(new URL(answer.headers.location, url).href)
  }
  throw invalid('Too many redirects.', { field: 'uri' })
}

/** Only http and https, no user names, and the host as the URL parser canonicalises it (`0x7f.1` becomes `127.0.0.1`). */
export function parseTarget(target: string): URL {
  let url: URL
  try {
    url = new URL(target)
  } catch {
    throw invalid('The URI is not valid.', { field: 'uri' })
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid(`The scheme ${url.protocol.slice(0, -1)} is not allowed: use http or https.`, { field: 'uri' })
  if (url.username || url.password) throw invalid('The URI must not hold a user name or password.', { field: 'uri' })
  return url
}

/** True for an address of the public internet: no loopback, private, link-local, multicast, documentation, mapped or tunnelled one. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return parsed.range() === 'unicast'
}

async function connect(url: URL, options: OutboundOptions): Promise<IncomingMessage> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const found = isIP(host) ? [{ address: host, family: isIP(host) }] : await lookup(host, { all: true }).catch((thrown: unknown) => Promise.reject(invalid(`The host ${host} cannot be found.`, { field: 'uri', cause: thrown })))
  const allowed = options.allow?.includes(`${host}:${port}`)
  // One address that is not public among several condemns the name: which one is used is chance.
  if (!allowed && !found.every((one) => isPublicAddress(one.address))) throw invalid(`The address of ${host} is not allowed.`, { field: 'uri', code: 'outbound.refused' })
  const chosen = found[0]!
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const outgoing = send(
      {
        method: 'GET',
        host: chosen.address,
        family: chosen.family,
        port,
        path: `${url.pathname}${url.search}`,
        headers: { host: url.host, 'user-agent': 'ondol' },
        servername: isIP(host) ? '' : host,
        timeout: options.timeout ?? 30_000,
        agent: false,
        ...(options.signal ? { signal: options.signal } : {}),
      },
      resolve,
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error('no byte in time')))
    outgoing.on('error', (thrown) => reject(new Fault('invalid', `${url.host} could not be reached.`, { field: 'uri', cause: thrown })))
    outgoing.end()
  })
}
