/**
 * Where the three engines' SQL differs and the houses must not notice:
 *
 * - row locks (`forUpdate` …) are nothing on SQLite, where a transaction holds the only writer anyway
 * - `onConflict` becomes `on duplicate key` on MariaDB; there any unique key counts, not only the one that is named
 * - nulls sort first on PostgreSQL too; primary and unique keys, which have none, are sorted by `byKey`
 * - `strpos(text, part)` is `instr` where it is called so
 * - `returning` is refused everywhere, because MariaDB would silently give no row: make ids before the insert, read rows after it
 */
import {
  type ColumnUpdateNode,
  type FunctionNode,
  type InsertQueryNode,
  MysqlQueryCompiler,
  type OperationNode,
  type OrderByItemBuilder,
  type OrderByItemNode,
  PostgresQueryCompiler,
  type RawNode,
  type ReferenceNode,
  type ReturningNode,
  type SelectModifierNode,
  SqliteQueryCompiler,
  type ValuesNode,
} from 'kysely'

const noReturning = (): never => {
  throw new Error('`returning` does not exist on MariaDB: make the id before the insert, or read the row in the same transaction')
}

/**
 * For `orderBy` on columns of a primary or unique key: PostgreSQL then walks that key, where it would otherwise sort all rows, because its keys have
 * nulls last. The columns must not be nullable.
 */
export const byKey = (direction: 'asc' | 'desc' = 'asc') => (order: OrderByItemBuilder): OrderByItemBuilder => (direction === 'asc' ? order.asc().nullsLast() : order.desc().nullsFirst())

const ROW_LOCKS: ReadonlySet<string> = new Set(['ForUpdate', 'ForNoKeyUpdate', 'ForShare', 'ForKeyShare', 'NoWait', 'SkipLocked'])

// They take the same in the same order.
const INSTR: Readonly<Record<string, string>> = { strpos: 'instr' }

export class HouseSqliteCompiler extends SqliteQueryCompiler {
  protected override visitFunction(node: FunctionNode): void {
    super.visitFunction({ ...node, func: INSTR[node.func] ?? node.func })
  }

  protected override visitOrderByItem({ nulls: _nulls, ...node }: OrderByItemNode): void {
    super.visitOrderByItem(node)
  }

  protected override visitSelectModifier(node: SelectModifierNode): void {
    if (!ROW_LOCKS.has(node.modifier ?? '')) super.visitSelectModifier(node)
  }

  protected override visitReturning(_node: ReturningNode): void {
    noReturning()
  }
}

export class HousePostgresCompiler extends PostgresQueryCompiler {
  protected override visitOrderByItem(node: OrderByItemNode): void {
    super.visitOrderByItem(node)
    // A direction given as raw text may say more than its name.
    const raw = node.direction as (OperationNode & Partial<RawNode>) | undefined
    if (!node.nulls) this.append(raw?.sqlFragments?.[0]?.toLowerCase().trim() === 'desc' ? ' nulls last' : ' nulls first')
  }

  protected override visitReturning(_node: ReturningNode): void {
    noReturning()
  }
}

export class HouseMysqlCompiler extends MysqlQueryCompiler {
  protected override visitFunction(node: FunctionNode): void {
    super.visitFunction({ ...node, func: INSTR[node.func] ?? node.func })
  }

  protected override visitOrderByItem({ nulls: _nulls, ...node }: OrderByItemNode): void {
    super.visitOrderByItem(node)
  }

  protected override visitInsertQuery(node: InsertQueryNode): void {
    const { onConflict, ...plain } = node
    if (!onConflict) super.visitInsertQuery(node)
    // The driver turns the duplicate into "nothing inserted": `ignore` would swallow every other mistake too.
    else if (ignoresOneDuplicate(node)) super.visitInsertQuery(plain)
    else if (onConflict.doNothing) super.visitInsertQuery({ ...plain, orAction: { kind: 'OrActionNode', action: 'ignore' } })
    else if (onConflict.updateWhere || !onConflict.updates) throw new Error('`onConflict … where` does not exist on MariaDB: read, then update')
    else super.visitInsertQuery({ ...plain, onDuplicateKey: { kind: 'OnDuplicateKeyNode', updates: onConflict.updates as readonly ColumnUpdateNode[] } })
  }

  protected override visitReference(node: ReferenceNode): void {
    if (node.table?.table.identifier.name === 'excluded') {
      this.append('values(')
      this.visitNode(node.column)
      this.append(')')
    } else super.visitReference(node)
  }

  /** The session runs with NO_BACKSLASH_ESCAPES, so that text is the same text on every engine. */
  protected override sanitizeStringLiteral(value: string): string {
    return value.replaceAll("'", "''")
  }

  protected override visitReturning(_node: ReturningNode): void {
    noReturning()
  }
}

/** `insert … on conflict do nothing` of one row. */
export function ignoresOneDuplicate(node: OperationNode): boolean {
  if (node.kind !== 'InsertQueryNode') return false
  const { onConflict, values } = node as InsertQueryNode
  return onConflict?.doNothing === true && values?.kind === 'ValuesNode' && (values as ValuesNode).values.length === 1
}
