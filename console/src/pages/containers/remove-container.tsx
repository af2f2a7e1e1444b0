/** An empty container goes at once; one with objects only after its name was written, with all that is in it. Or it stays, and only they go. */
import { FormGroup, Progress, TextInput } from '@patternfly/react-core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError } from '../../api/client.ts'
import { type Container, containerFacts, removeContainer } from '../../api/containers.ts'
import { removeLines } from '../../api/objects.ts'
import { removeVersions } from '../../api/versions.ts'
import { storeKey } from '../../api/object-store.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { NotDone, useLongTask } from '../objects/long-task.tsx'

export function RemoveContainer({ kind, projectId, container: { name, count, bytes }, onClose }: { kind: 'remove' | 'empty'; projectId: string; container: Container; onClose: () => void }) {
  const { t, i18n } = useTranslation()
  const queryClient = useQueryClient()
  const number = new Intl.NumberFormat(i18n.language)
  const [typed, setTyped] = useState('')
  // Versions are bytes without an object.
  const full = count > 0 || bytes > 0
  const { start, stop, done, failed, running, error } = useLongTask(async (signal, onProgress) => {
    const { versions, ...now } = await containerFacts(projectId, name, signal)
    // What came since one looked is not deleted unasked.
    if (!full && (now.count > 0 || now.bytes > 0)) throw new ApiError(409, '')
    const kept = versions === 'on' || versions === 'suspended'
    const left = kept ? await removeVersions(projectId, name, signal, onProgress) : count > 0 ? await removeLines(projectId, name, [{ kind: 'folder', name: '' }], signal, onProgress) : []
    if (left.length > 0) return left
    if (kind === 'remove') await removeContainer(projectId, name)
    // Who goes back is not shown what was in it.
    queryClient.removeQueries({ queryKey: [...storeKey(projectId), 'list', name] })
    return []
  }, onClose)
  return (
    <Dialog
      title={t(`containers.${kind}_title`, { name })}
      description={full ? t(`containers.${kind}_full`, { n: number.format(count) }) : t('containers.remove_empty')}
      danger
      action={t(kind === 'empty' ? 'containers.empty_all' : full ? 'containers.remove_all' : 'containers.remove')}
      disabled={full && typed !== name}
      working={running}
      failed={{ title: t(`containers.${kind}_failed`), error }}
      onSubmit={start}
      onClose={() => {
        stop()
        onClose()
      }}
    >
      {full && (
        <FormGroup label={t('containers.write_name')} fieldId="remove-name" isRequired>
          <TextInput id="remove-name" value={typed} onChange={(_, value) => setTyped(value)} autoComplete="off" autoCapitalize="off" spellCheck={false} />
        </FormGroup>
      )}
      {running && count > 0 && <Progress size="sm" aria-label={t('objects.removing_of')} value={Math.min(100, Math.floor((done / count) * 100))} label={`${Math.min(100, Math.floor((done / count) * 100))} %`} measureLocation="outside" />}
      <div role="status">{running && full ? t('objects.removing', { n: number.format(done) }) : ''}</div>
      <NotDone title={t('objects.not_removed', { n: failed.length })} failed={failed} />
    </Dialog>
  )
}
