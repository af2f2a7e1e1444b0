/** A dialog about a container that begins with what the container is now, not with what it was when one looked the last time. */
import { Skeleton } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { type ContainerFacts, containerQuery } from '../../api/containers.ts'
import { Dialog } from '../../ui/dialog.tsx'

export function WithFacts({ projectId, container, title, onClose, children }: { projectId: string; container: string; title: string; onClose: () => void; children: (facts: ContainerFacts) => ReactNode }) {
  const { t } = useTranslation()
  const { data, error, isFetchedAfterMount } = useQuery({ ...containerQuery(projectId, container), refetchOnMount: 'always' })
  if (data && isFetchedAfterMount) return children(data)
  return (
    <Dialog title={title} failed={{ title: t('problem.failed'), error }} onClose={onClose}>
      {!error && <Skeleton screenreaderText={t('list.loading')} />}
    </Dialog>
  )
}
