import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { containerQuery } from '../../api/containers.ts'
import { type Line, removeLines, shortName } from '../../api/objects.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Names, NotDone, useLongTask } from './long-task.tsx'

export function RemoveDialog({ projectId, container, folder, lines, onClose }: { projectId: string; container: string; folder: string; lines: readonly Line[]; onClose: () => void }) {
  const { t } = useTranslation()
  const versions = useQuery(containerQuery(projectId, container)).data?.versions === 'on'
  const { start, stop, done, failed, running, error } = useLongTask((signal, onProgress) => removeLines(projectId, container, lines, signal, onProgress), onClose)
  const named = (line: Line): string => (line.kind === 'folder' ? t('objects.folder_all', { name: shortName(line.name, folder) }) : shortName(line.name, folder))
  return (
    <Dialog
      title={t('objects.remove_title')}
      description={t(versions ? 'objects.remove_kept' : 'objects.remove_body')}
      danger
      action={t('objects.remove')}
      working={running}
      failed={{ title: t('objects.remove_failed'), error }}
      onSubmit={start}
      onClose={() => {
        stop()
        onClose()
      }}
    >
      <Names names={lines.map(named)} />
      <div role="status">{running ? t('objects.removing', { n: done }) : ''}</div>
      <NotDone title={t('objects.not_removed', { n: failed.length })} failed={failed} />
    </Dialog>
  )
}
