/** Objects of a folder that were deleted and may come back, since the container keeps versions. */
import { Button, Skeleton } from '@patternfly/react-core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { shortName } from '../../api/objects.ts'
import { storeKey } from '../../api/object-store.ts'
import { deletedQuery, restoreVersion, type Version } from '../../api/versions.ts'
import { Bytes } from '../../ui/bytes.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Failure } from '../../ui/failure.tsx'

const SHOWN = 100

export function DeletedDialog({ projectId, container, folder, onClose }: { projectId: string; container: string; folder: string; onClose: () => void }) {
  const { t } = useTranslation()
  const queryClient = useQueryClient()
  const { data, error } = useQuery(deletedQuery(projectId, container, folder))
  const restore = useMutation({ mutationFn: (version: Version) => restoreVersion(projectId, container, version), onSuccess: () => queryClient.invalidateQueries({ queryKey: storeKey(projectId) }) })
  return (
    <Dialog large title={t('versions.deleted_in', { name: folder || container })} failed={{ title: t('versions.failed'), error }} onClose={onClose}>
      {restore.error && <Failure title={t('versions.act_failed')} error={restore.error} />}
      {!data && !error && <Skeleton screenreaderText={t('list.loading')} />}
      {data?.length === 0 && <p>{t('versions.none_deleted')}</p>}
      {data && data.length > 0 && (
        <ul className="deleted">
          {data.slice(0, SHOWN).map((version) => (
            <li key={version.name}>
              <span className="guest-text">{shortName(version.name, folder)}</span>
              <Bytes of={version.bytes} />
              <Button variant="link" size="sm" isDisabled={restore.isPending} aria-label={t('versions.restore_of', { name: version.name })} onClick={() => restore.mutate(version)}>
                {t('versions.restore')}
              </Button>
            </li>
          ))}
          {data.length > SHOWN && <li className="quiet">{t('list.more', { n: data.length - SHOWN })}</li>}
        </ul>
      )}
    </Dialog>
  )
}
