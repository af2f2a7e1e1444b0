/** What the three engines throw, told apart: duplicates, broken references, and what may be tried again. */
import { Fault } from '../fault.ts'
import type { Engine } from './database.ts'

interface EngineError {
  code?: string
  errcode?: number
  errno?: number
  message?: string
}

const SQLITE_DUPLICATE = new Set([2067, 1555]) // SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY
const SQLITE_REFERENCE = 787
const SQLITE_BUSY = 5
const SQLITE_TRIGGER = 1811
const SQLITE_FULL = 13

export function isDuplicate(engine: Engine, thrown: unknown): boolean {
  if (thrown instanceof Fault) return thrown.code === 'sql.duplicate'
  const error = thrown as EngineError
  if (engine === 'sqlite') return SQLITE_DUPLICATE.has(error?.errcode ?? 0)
  if (engine === 'postgres') return error?.code === '23505'
  return error?.errno === 1062
}

export function isBrokenReference(engine: Engine, thrown: unknown): boolean {
  const error = thrown as EngineError
  if (engine === 'sqlite') return error?.errcode === SQLITE_REFERENCE
  if (engine === 'postgres') return error?.code === '23503'
  return error?.errno === 1451 || error?.errno === 1452
}

/** A deadlock, a serialization failure or a busy file: the whole transaction may run again. */
export function isRetryable(engine: Engine, thrown: unknown): boolean {
  const error = thrown as EngineError
  if (engine === 'sqlite') return error?.errcode !== undefined && (error.errcode & 0xff) === SQLITE_BUSY
  // 0A000, 26000: a plan kept by the connection no longer fits, or is lost; the connection goes (postgres-driver.ts), and another makes its own.
  if (engine === 'postgres') return error?.code === '40001' || error?.code === '40P01' || error?.code === '26000' || (error?.code === '0A000' && /cached plan/.test(error.message ?? ''))
  return error?.errno === 1213 || error?.errno === 1205
}

const LOST = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOENT', 'EHOSTUNREACH', 'ENOTFOUND', 'PROTOCOL_CONNECTION_LOST', 'ER_CON_COUNT_ERROR', 'ER_SERVER_SHUTDOWN', '57P01', '57P02', '57P03', '53300'])

/** The server is away or takes nobody now. */
export function isLost(engine: Engine, thrown: unknown): boolean {
  if (engine === 'sqlite') return false
  const error = thrown as EngineError
  return LOST.has(error?.code ?? '') || (error?.code?.startsWith('08') ?? false) || /Connection terminated|timeout exceeded when trying to connect|closed state/.test(error?.message ?? '')
}

/** There is no room left where the database lies. */
function isFull(engine: Engine, thrown: unknown): boolean {
  const error = thrown as EngineError
  if (engine === 'sqlite') return error?.errcode !== undefined && (error.errcode & 0xff) === SQLITE_FULL
  if (engine === 'postgres') return error?.code === '53100'
  return error?.errno === 1021 || error?.errno === 1114
}

/** The database has moved to another place, and takes no change here (`move/source.ts`). */
const hasMoved = (engine: Engine, thrown: unknown): boolean => engine === 'sqlite' && (thrown as EngineError)?.errcode === SQLITE_TRIGGER && /has moved/.test((thrown as EngineError).message ?? '')

/** Duplicates become a `conflict` Fault with code `sql.duplicate`, a lost server `unavailable`, a full disk `insufficient_storage`; everything else passes unchanged. */
export function toFault(engine: Engine, thrown: unknown): unknown {
  if (thrown instanceof Fault) return thrown
  if (isLost(engine, thrown)) return new Fault('unavailable', 'The database cannot be reached.', { code: 'sql.unavailable', cause: thrown })
  if (hasMoved(engine, thrown)) return new Fault('unavailable', 'This database has moved to another place.', { code: 'sql.moved', cause: thrown })
  if (isFull(engine, thrown)) return new Fault('insufficient_storage', 'There is no room left in the database.', { code: 'sql.full', cause: thrown })
  if (isDuplicate(engine, thrown)) {
    return new Fault('conflict', 'A resource with this identity already exists.', { code: 'sql.duplicate', cause: thrown })
  }
  return thrown
}
