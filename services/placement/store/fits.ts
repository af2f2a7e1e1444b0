/** The condition that an inventory, seen by an alias, can give one more portion of `amount`; the same rule as `core/inventory.ts`. */
import { type RawBuilder, sql } from 'kysely'

export function fits(alias: string, amount: number): RawBuilder<boolean> {
  const column = (name: string): RawBuilder<unknown> => sql.ref(`${alias}.${name}`)
  return sql<boolean>`${column('used')} + ${amount} <= (${column('total')} - ${column('reserved')}) * ${column('allocation_ratio')}
    and ${column('min_unit')} <= ${amount} and ${column('max_unit')} >= ${amount} and ${amount} % ${column('step_size')} = 0`
}
