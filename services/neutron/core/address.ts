/** IP addresses and prefixes as numbers. Text in, text out; IPv6 in its canonical short form. */

export interface Ip {
  version: 4 | 6
  value: bigint
}

export interface Cidr {
  version: 4 | 6
  /** First address, the network's own. */
  first: bigint
  last: bigint
  prefixlen: number
}

export const bitsOf = (version: 4 | 6): number => (version === 4 ? 32 : 128)

export function parseIp(text: string): Ip | undefined {
  return text.includes(':') ? parseV6(text) : parseV4(text)
}

function parseV4(text: string): Ip | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!match) return undefined
  let value = 0
  for (let i = 1; i <= 4; i++) {
    const part = match[i]!
    const octet = Number(part)
    // A leading zero is octal to some and decimal to others: nobody may rely on it.
    if (octet > 255 || (part.length > 1 && part[0] === '0')) return undefined
    value = value * 256 + octet
  }
  return { version: 4, value: BigInt(value) }
}

function parseV6(text: string): Ip | undefined {
  if (!/^[0-9a-fA-F:.]+$/.test(text) || text.length > 45) return undefined
  let body = text
  const dotted = /(?:^|:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (dotted) {
    const v4 = parseV4(dotted[1]!)
    if (!v4) return undefined
    body = `${text.slice(0, text.length - dotted[1]!.length)}${(v4.value >> 16n).toString(16)}:${(v4.value & 0xffffn).toString(16)}`
  }
  const halves = body.split('::')
  if (halves.length > 2) return undefined
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'))
  const left = groups(halves[0]!)
  const right = halves.length === 2 ? groups(halves[1]!) : []
  const missing = 8 - left.length - right.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  let value = 0n
  for (const group of [...left, ...Array.from({ length: halves.length === 2 ? missing : 0 }, () => '0'), ...right]) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined
    value = (value << 16n) | BigInt(`0x${group}`)
  }
  return { version: 6, value }
}

export function formatIp({ version, value }: Ip): string {
  if (version === 4) {
    const n = Number(value)
    return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`
  }
  const groups: number[] = []
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((value >> shift) & 0xffffn))
  let best = { at: -1, length: 1 }
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > best.length) best = { at: i, length: end - i }
    i = Math.max(i, end - 1)
  }
  const hex = (from: number, to: number): string => groups.slice(from, to).map((group) => group.toString(16)).join(':')
  return best.at < 0 ? hex(0, 8) : `${hex(0, best.at)}::${hex(best.at + best.length, 8)}`
}

export function ipText(version: 4 | 6, value: bigint): string {
  return formatIp({ version, value })
}

/** The same address in its canonical spelling, or undefined when it is none. */
export function normalIp(text: string): string | undefined {
  const ip = parseIp(text)
  return ip && formatIp(ip)
}

/** `10.0.0.0/24`; a bare address is a prefix of its own. Host bits are cut off: compare with the text for strictness. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (!ip) return undefined
  const bits = bitsOf(ip.version)
  const length = slash < 0 ? String(bits) : text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined
  return cidrAt(ip, Number(length))
}

export function cidrAt(ip: Ip, prefixlen: number): Cidr {
  const size = 1n << BigInt(bitsOf(ip.version) - prefixlen)
  const first = (ip.value / size) * size
  return { version: ip.version, first, last: first + size - 1n, prefixlen }
}

export function formatCidr(cidr: Cidr): string {
  return `${ipText(cidr.version, cidr.first)}/${cidr.prefixlen}`
}

export function contains(cidr: Cidr, ip: Ip): boolean {
  return cidr.version === ip.version && ip.value >= cidr.first && ip.value <= cidr.last
}

export function overlap(a: Cidr, b: Cidr): boolean {
  return a.version === b.version && a.first <= b.last && b.first <= a.last
}

export function within(inner: Cidr, outer: Cidr): boolean {
  return inner.version === outer.version && inner.first >= outer.first && inner.last <= outer.last
}

/** Neighbouring and nested prefixes as few as possible, sorted. */
export function compact(cidrs: readonly Cidr[]): Cidr[] {
  const sorted = [...cidrs].sort((a, b) => (a.version - b.version || (a.first < b.first ? -1 : a.first > b.first ? 1 : a.prefixlen - b.prefixlen)))
  const out: Cidr[] = []
  for (const one of sorted) {
    const before = out.at(-1)
    if (before && within(one, before)) continue
    out.push(one)
    for (;;) {
      const last = out.at(-1)!
      const previous = out.at(-2)
      if (!previous || previous.version !== last.version || previous.prefixlen !== last.prefixlen || last.first !== previous.last + 1n) break
      const joined = cidrAt({ version: last.version, value: previous.first }, last.prefixlen - 1)
      if (joined.first !== previous.first || joined.last !== last.last) break
      out.splice(-2, 2, joined)
    }
  }
  return out
}

/** The address that a host with this MAC gives itself in a /64 (EUI-64). */
export function eui64(cidr: Cidr, mac: string): string {
  const octets = mac.split(':').map((part) => Number.parseInt(part, 16))
  octets[0]! ^= 2
  let value = 0n
  for (const octet of [...octets.slice(0, 3), 0xff, 0xfe, ...octets.slice(3)]) value = (value << 8n) | BigInt(octet)
  return ipText(6, cidr.first | value)
}
