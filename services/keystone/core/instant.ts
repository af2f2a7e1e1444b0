/** Instants on Keystone's wire: `2026-11-21T00:11:21.000000Z`. */
export function wireInstant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`
}

export function wireInstantOr(ms: number | null): string | null {
  return ms === null ? null : wireInstant(ms)
}

/** As Keystone shows `password_expires_at`: microseconds, no zone. */
export function naiveInstantOr(ms: number | null): string | null {
  return ms === null ? null : `${new Date(ms).toISOString().slice(0, 23)}000`
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?$/

/** Milliseconds of an ISO 8601 instant; without a zone it is UTC. Undefined for anything else. */
export function parseInstant(text: string): number | undefined {
  const m = ISO.exec(text)
  if (!m) return undefined
  const iso = `${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6] ?? '00'}.${(m[7] ?? '0').padEnd(3, '0').slice(0, 3)}${m[8] ?? 'Z'}`
  const ms = Date.parse(iso)
  return Number.isNaN(ms) ? undefined : ms
}

/** An instant to the microsecond, for what the wire must give back to the last digit: milliseconds, and what is left. */
export interface FineInstant {
  ms: number
  /** 0 to 999. */
  us: number
}

export function parseFine(text: string): FineInstant | undefined {
  const ms = parseInstant(text)
  return ms === undefined ? undefined : { ms, us: Number((ISO.exec(text)?.[7] ?? '').padEnd(6, '0').slice(3, 6)) }
}

/** `2026-11-21T00:11:21.123456`, without a zone. */
export function fineInstantOr(ms: number | null, us: number): string | null {
  return ms === null ? null : `${new Date(ms).toISOString().slice(0, -1)}${String(us).padStart(3, '0')}`
}

export const toSecond = (ms: number): number => Math.floor(ms / 1000) * 1000
