/** Addresses, prefixes and MACs as drivers write them into rules and files: parsed, so that nothing else gets there. Pure. */
import ipaddr from 'ipaddr.js'
import { LRUCache } from 'lru-cache'
import { invalid } from '#base/fault.ts'

export interface Prefix {
  readonly family: 4 | 6
  /** The first address as a number. */
  readonly first: bigint
  readonly length: number
}

/** The members of large groups come again with every change of one of them. */
const parsed = new LRUCache<string, Prefix>({ max: 20_000 })

/** `10.0.0.0/24`, or one address. Bits behind the length are cleared. Throws `invalid`. */
export function parsePrefix(text: string): Prefix {
  let prefix = parsed.get(text)
  if (!prefix) parsed.set(text, (prefix = parseAnew(text)))
  return prefix
}

function parseAnew(text: string): Prefix {
  const [address = '', length, ...more] = text.split('/')
  const valid = ipaddr.IPv4.isValidFourPartDecimal(address) || (address.includes(':') && !address.includes('%') && ipaddr.IPv6.isValid(address))
  if (!valid || more.length > 0) throw invalid(`'${text}' is not an IP address or prefix`)
  const found = ipaddr.parse(address)
  const family = found.kind() === 'ipv4' ? 4 : 6
  const bits = family === 4 ? 32 : 128
  const size = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : -1
  if (size < 0 || size > bits) throw invalid(`'${text}' is not an IP address or prefix`)
  let value = 0n
  for (const byte of found.toByteArray()) value = (value << 8n) | BigInt(byte)
  const rest = BigInt(bits - size)
  return { family, first: (value >> rest) << rest, length: size }
}

export function prefixText({ family, first, length }: Prefix): string {
  const address = addressText(family, first)
  return length === (family === 4 ? 32 : 128) ? address : `${address}/${length}`
}

export function addressText(family: 4 | 6, value: bigint): string {
  const bytes: number[] = []
  for (let shift = family === 4 ? 24n : 120n; shift >= 0n; shift -= 8n) bytes.push(Number((value >> shift) & 255n))
  const text = ipaddr.fromByteArray(bytes).toString()
  return text
}

/** One address in its canonical spelling. Throws `invalid`. */
export function parseAddress(text: string): string {
  const prefix = parsePrefix(text)
  if (text.includes('/')) throw invalid(`'${text}' is not an IP address`)
  return addressText(prefix.family, prefix.first)
}

export function familyOf(text: string): 4 | 6 {
  return text.includes(':') ? 6 : 4
}

/** The prefixes of one family, each once, without those that lie in another: nft refuses overlaps in a set. */
export function disjoint(texts: readonly string[], family: 4 | 6): string[] {
  const sorted = texts
    .map(parsePrefix)
    .filter((prefix) => prefix.family === family)
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.length - b.length))
  const bits = family === 4 ? 32 : 128
  const kept: Prefix[] = []
  let end = -1n
  for (const prefix of sorted) {
    if (prefix.first <= end) continue
    kept.push(prefix)
    end = prefix.first + (1n << BigInt(bits - prefix.length)) - 1n
  }
  return kept.map(prefixText)
}

/** `10.0.0.5/24` from an address and the subnet it lies in. */
export function addressInSubnet(address: string, cidr: string): string {
  return `${parseAddress(address)}/${parsePrefix(cidr).length}`
}

/** `255.255.255.0` of a length. */
export function netmask(length: number): string {
  return addressText(4, ((1n << 32n) - 1n) ^ ((1n << BigInt(32 - length)) - 1n))
}

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

/** Lower case. Throws `invalid`. */
export function parseMac(text: string): string {
  const mac = text.toLowerCase()
  if (!MAC.test(mac)) throw invalid(`'${text}' is not a MAC address`)
  return mac
}

/** The link-local address that a MAC makes by itself (modified EUI-64). */
export function linkLocal(mac: string): string {
  const bytes = parseMac(mac)
    .split(':')
    .map((byte) => Number.parseInt(byte, 16))
  const eui = [bytes[0]! ^ 2, bytes[1]!, bytes[2]!, 0xff, 0xfe, bytes[3]!, bytes[4]!, bytes[5]!]
  return ipaddr.fromByteArray([0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...eui]).toString()
}
