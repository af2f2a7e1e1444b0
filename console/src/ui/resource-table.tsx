/**
 * A list of a service's things by its columns: sorted by the service, with the states that every list has (loading, empty, nothing
 * found, failed, failed after having been shown).
 */
import { Alert, Skeleton } from '@patternfly/react-core'
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
}

interface Props<Row, Key extends string> {
  label: string
  columns: readonly Column<Row, Key>[]
  rows: readonly Row[] | undefined
  error: Error | null
  retry: () => void
  sorted: { sort?: Key; dir?: 'asc' | 'desc' }
  onSort: (sort: Key, dir: 'asc' | 'desc') => void
  /** Shown when there are no rows. */
  empty: ReactNode
}

export function ResourceTable<Row extends { id: string }, Key extends string>({ label, columns, rows, error, retry, sorted, onSort, empty }: Props<Row, Key>) {
  const { t } = useTranslation()
  if (error && !rows) return <Problem error={error} retry={retry} />
  if (rows?.length === 0 && !error) return empty
  const active = columns.findIndex((column) => column.sort !== undefined && column.sort === sorted.sort)
  return (
    <>
      {error && <Alert variant="warning" isInline title={t('problem.stale', { message: error.message })} />}
      <Table aria-label={label} aria-busy={!rows} variant="compact">
        <Thead>
          <Tr>
            {columns.map(({ title, sort, width }, columnIndex) => (
              <Th key={title} {...(width ? { width } : {})} {...(sort ? { sort: { columnIndex, sortBy: { index: active, direction: sorted.dir ?? 'asc' }, onSort: (_event, _index, dir) => onSort(sort, dir) } } : {})}>
                {title}
              </Th>
            ))}
          </Tr>
        </Thead>
        <Tbody>
          {rows
            ? rows.map((row) => (
                <Tr key={row.id}>
                  {columns.map(({ title, cell }) => (
                    <Td key={title} dataLabel={title}>
                      {cell(row)}
                    </Td>
                  ))}
                </Tr>
              ))
            : [1, 2, 3].map((line) => (
                <Tr key={line}>
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
