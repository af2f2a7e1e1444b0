/** What an object was before, where its container keeps that. */
import { Label, Skeleton } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { storeKey } from '../../api/object-store.ts'
import { isMark, removeVersion, restoreVersion, type Version, versionsQuery } from '../../api/versions.ts'
import { HELD } from '../../transfers/download.ts'
import { transfers } from '../../transfers/transfers.ts'
import { Bytes } from '../../ui/bytes.tsx'
import { Failure } from '../../ui/failure.tsx'
import { RowMenu } from '../../ui/row-menu.tsx'
import { Time } from '../../ui/time.tsx'

interface Props {
  projectId: string
  container: string
  object: string
  /** Also when there is something else to see. */
  readOnly: boolean
}

export function Versions({ projectId, container, object, readOnly }: Props) {
  const { t } = useTranslation()
  const queryClient = useQueryClient()
  const { data, error } = useQuery(versionsQuery(projectId, container, object))
  const onSuccess = (): Promise<void> => queryClient.invalidateQueries({ queryKey: storeKey(projectId) })
  const act = useMutation({ mutationFn: ({ run, version }: { run: typeof restoreVersion; version: Version }) => run(projectId, container, version), onSuccess })
  if (error) return <Failure title={t('versions.failed')} error={error} />
  if (!data) return <Skeleton screenreaderText={t('list.loading')} />
  const itemsOf = (version: Version) => [
    ...(isMark(version) || version.bytes > HELD ? [] : [{ label: t('objects.download'), onClick: () => transfers.download({ projectId, container, name: object, size: version.bytes, version: version.version_id }) }]),
    ...(version.is_latest || isMark(version) || readOnly ? [] : [{ label: t('versions.restore'), onClick: () => act.mutate({ run: restoreVersion, version }) }]),
    ...(version.is_latest || readOnly ? [] : [{ label: t('versions.remove'), danger: true, onClick: () => act.mutate({ run: removeVersion, version }) }]),
  ]
  return (
    <>
      {act.error && <Failure title={t('versions.act_failed')} error={act.error} />}
      <Table aria-label={t('versions.title')} variant="compact" borders={false}>
        <Thead>
          <Tr>
            <Th>{t('objects.changed')}</Th>
            <Th>{t('objects.size')}</Th>
            <Th screenReaderText={t('list.actions')} />
          </Tr>
        </Thead>
        <Tbody>
          {data.map((version) => (
            <Tr key={version.version_id}>
              <Td dataLabel={t('objects.changed')}>
                <Time at={version.last_modified} /> {version.is_latest && <Label isCompact>{t('versions.current')}</Label>}
              </Td>
              <Td dataLabel={t('objects.size')}>{isMark(version) ? t('versions.deleted') : <Bytes of={version.bytes} />}</Td>
              <Td isActionCell>{itemsOf(version).length > 0 && <RowMenu name={t('versions.of', { at: version.last_modified })} items={itemsOf(version)} />}</Td>
            </Tr>
          ))}
        </Tbody>
      </Table>
    </>
  )
}
