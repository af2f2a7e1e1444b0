/** Passwords that Nova makes for administrators of servers. */
import type { Random } from '#base/random.ts'

// Without letters and digits that look alike.
const SYMBOLS = ['23456789', 'ABCDEFGHJKLMNPQRSTUVWXYZ', 'abcdefghijkmnopqrstuvwxyz'] as const

export function newPassword(random: Random, length = 12): string {
  const pick = (from: string): string => from[random.below(from.length)]!
  const all = SYMBOLS.join('')
  const letters = [...SYMBOLS.map(pick), ...Array.from({ length: length - SYMBOLS.length }, () => pick(all))]
  for (let i = letters.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[letters[i], letters[j]] = [letters[j]!, letters[i]!]
  }
  return letters.join('')
}
