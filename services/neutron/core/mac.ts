/** MAC addresses: lower case with colons. */
import type { Random } from '#base/random.ts'

/** `AA-BB-CC-DD-EE-FF`, `aabb.ccdd.eeff` and the like as `aa:bb:cc:dd:ee:ff`; undefined for anything else. */
export function normalMac(text: string): string | undefined {
  const bare = text.toLowerCase()
  const hex = /^([0-9a-f]{1,2}([:-])){5}[0-9a-f]{1,2}$/.test(bare)
    ? bare.split(/[:-]/).map((part) => part.padStart(2, '0')).join('')
    : bare.replaceAll('.', '')
  return /^[0-9a-f]{12}$/.test(hex) ? hex.match(/../g)!.join(':') : undefined
}

/** A new address below the base `fa:16:3e`, as OpenStack's. */
export function newMac(random: Random, base: string): string {
  const fixed = base.split(':').map((part) => Number.parseInt(part, 16))
  const kept = fixed.findLastIndex((octet) => octet !== 0) + 1
  const tail = random.bytes(6 - Math.max(3, kept))
  return [...fixed.slice(0, Math.max(3, kept)), ...tail].map((octet) => octet.toString(16).padStart(2, '0')).join(':')
}
