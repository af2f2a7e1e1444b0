/** Instants and revision of rows. */
import type { Neutron } from '#neutron/house.ts'
import { changeRow } from '#neutron/store/rows.ts'
import type { Row, T } from '#neutron/store/tables.ts'

export function born(house: Pick<Neutron, 'now'>): { created_at: number; updated_at: number; revision_number: number } {
  const now = house.now()
  return { created_at: now, updated_at: now, revision_number: 1 }
}

export function changed(house: Pick<Neutron, 'now'>, row: Row): { updated_at: number; revision_number: number } {
  return { updated_at: house.now(), revision_number: (row.revision_number as number) + 1 }
}

/** Says of a row that something it carries has changed. */
export async function touch(house: Pick<Neutron, 'now'>, tx: T, table: string, row: { id: string; revision_number: number }): Promise<void> {
  await changeRow(tx as never, table, row.id, changed(house, row as never))
}
