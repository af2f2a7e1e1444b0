/**
 * A list of a service's things by its columns: sorted by the service, with the states that every list has (loading, empty, nothing
 * found, failed, failed after having been shown).
 */
import { Alert, Checkbox, Skeleton } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Problem } from './problem.tsx'

export interface Column<Row, Key extends string = string> {
  title: string
  cell: (row: Row) => ReactNode
  /** The service's word for sorting by this column. */
  sort?: Key
  width?: 10 | 15 | 20 | 25 | 30 | 40
  /** The title is for screen readers alone. */
  quiet?: boolean
}

/** Rows that may be chosen, by their ids. */
export interface Choice<Row> {
  chosen: ReadonlySet<string>
  onChoose: (chosen: ReadonlySet<string>) => void
  nameOf: (row: Row) => string
}

interface Props<Row, Key extends string> {
  label: string
  columns: readonly Column<Row, Key>[]
  rows: readonly Row[] | undefined
  error: Error | null
  retry: () => void
  sorted?: { sort?: Key; dir?: 'asc' | 'desc' }
  onSort?: (sort: Key, dir: 'asc' | 'desc') => void
  choice?: Choice<Row>
  /** What it means that the service knows no such list. */
  missing?: string
  /** Shown when there are no rows. */
  empty: ReactNode
}

export function ResourceTable<Row extends { id: string }, Key extends string>({ label, columns, rows, error, retry, sorted = {}, onSort, choice, missing, empty }: Props<Row, Key>) {
  const { t } = useTranslation()
  if (error && !rows) return <Problem error={error} retry={retry} missing={missing} />
  if (rows?.length === 0 && !error) return empty
  const active = columns.findIndex((column) => column.sort !== undefined && column.sort === sorted.sort)
  return (
    <>
      {error && <Alert component="p" variant="warning" isInline title={t('problem.stale', { message: error.message })} />}
      <Table aria-label={label} aria-busy={!rows} variant="compact">
        <Thead>
          <Tr>
            {choice && (
              <Th>
                <Checkbox id="choose-all" aria-label={t('list.choose_all')} isDisabled={!rows} isChecked={rows?.every(({ id }) => choice.chosen.has(id)) ?? false} onChange={(_, all) => choice.onChoose(new Set(all ? rows?.map(({ id }) => id) : []))} />
              </Th>
            )}
            {columns.map(({ title, sort, width, quiet }, columnIndex) =>
              quiet ? (
                <Th key={title} screenReaderText={title} />
              ) : (
                <Th key={title} {...(width ? { width } : {})} {...(sort ? { sort: { columnIndex, sortBy: { index: active, direction: sorted.dir ?? 'asc' }, onSort: (_event, _index, dir) => onSort?.(sort, dir) } } : {})}>
                  {title}
                </Th>
              ),
            )}
          </Tr>
        </Thead>
        <Tbody>
          {rows
            ? rows.map((row, index) => (
                <Tr key={row.id}>
                  {choice && (
                    <Td>
                      <Checkbox id={`choose-${index}`} aria-label={t('list.choose', { name: choice.nameOf(row) })} isChecked={choice.chosen.has(row.id)} onChange={(_, yes) => choice.onChoose(changed(choice.chosen, row.id, yes))} />
                    </Td>
                  )}
                  {columns.map(({ title, cell, quiet }) => (
                    <Td key={title} {...(quiet ? { isActionCell: true } : { dataLabel: title })}>
                      {cell(row)}
                    </Td>
                  ))}
                </Tr>
              ))
            : [1, 2, 3].map((line) => (
                <Tr key={line}>
                  {choice && <Td />}
                  {columns.map(({ title }) => (
                    <Td key={title} dataLabel={title}>
                      <Skeleton screenreaderText={t('list.loading')} />
                    </Td>
                  ))}
                </Tr>
              ))}
        </Tbody>
      </Table>
    </>
  )
}

function changed(chosen: ReadonlySet<string>, id: string, yes: boolean): ReadonlySet<string> {
  const next = new Set(chosen)
  if (yes) next.add(id)
  else next.delete(id)
  return next
}
