/** What an import has put where: rows counted by table, ids that others stand for, and what had to step aside. */
import { findRow, insertRow, type Key } from '../rows.ts'
import type { Tx } from '#base/sql/database.ts'
import type { KeystoneTables } from '../tables.ts'

export interface Imported {
  /** Rows taken over, by table without its prefix. */
  rows: Record<string, number>
  /** What was there already, what stepped aside and what was left out, in sentences. */
  notes: string[]
  /** Fernet keys of tokens taken over. */
  keys?: number
}

export interface Arrival {
  tx: Tx<KeystoneTables>
  now: number
  newId(): string
  /** Ids of the other Keystone → of ours, where ours stands for it. */
  roles: Map<string, string>
  services: Map<string, string>
  /** Inserts unless a row with this key is there. True when it was put. */
  put<T extends keyof KeystoneTables>(table: T, key: Key<T>, row: KeystoneTables[T]): Promise<boolean>
  note(text: string): void
  report(): Imported
}

export function arrival(tx: Tx<KeystoneTables>, { now, newId }: { now: number; newId(): string }): Arrival {
  const rows: Record<string, number> = {}
  const notes: string[] = []
  return {
    tx,
    now,
    newId,
    roles: new Map(),
    services: new Map(),
    async put(table, key, row) {
      if (await findRow(tx, table, key)) return false
      await insertRow(tx, table, row)
      const name = table.slice('keystone_'.length)
      rows[name] = (rows[name] ?? 0) + 1
      return true
    },
    note: (text) => void notes.push(text),
    report: () => ({ rows, notes }),
  }
}
