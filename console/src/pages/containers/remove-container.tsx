/** An empty container goes at once; one with objects only after its name was written, with all that is in it. */
import { FormGroup, TextInput } from '@patternfly/react-core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Container, removeContainer } from '../../api/containers.ts'
import { removeLines } from '../../api/objects.ts'
import { storeKey } from '../../api/object-store.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { NotRemoved, useRemoval } from '../objects/removal.tsx'

export function RemoveContainer({ projectId, container: { name, count }, onClose }: { projectId: string; container: Container; onClose: () => void }) {
  const { t, i18n } = useTranslation()
  const queryClient = useQueryClient()
  const [typed, setTyped] = useState('')
  const { start, stop, removed, failed, running, error } = useRemoval(async (signal, onProgress) => {
    const left = count > 0 ? await removeLines(projectId, name, [{ kind: 'folder', name: '' }], signal, onProgress) : []
    if (left.length > 0) return left
    await removeContainer(projectId, name)
    // Who goes back is not shown what was in it.
    queryClient.removeQueries({ queryKey: [...storeKey(projectId), 'list', name] })
    return []
  }, onClose)
  return (
    <Dialog
      title={t('containers.remove_title', { name })}
      description={count > 0 ? t('containers.remove_full', { n: new Intl.NumberFormat(i18n.language).format(count) }) : t('containers.remove_empty')}
      danger
      action={t(count > 0 ? 'containers.remove_all' : 'containers.remove')}
      disabled={count > 0 && typed !== name}
      working={running}
      failed={{ title: t('containers.remove_failed'), error }}
      onSubmit={start}
      onClose={() => {
        stop()
        onClose()
      }}
    >
      {count > 0 && (
        <FormGroup label={t('containers.write_name')} fieldId="remove-name" isRequired>
          <TextInput id="remove-name" value={typed} onChange={(_, value) => setTyped(value)} autoComplete="off" autoCapitalize="off" spellCheck={false} />
        </FormGroup>
      )}
      <div role="status">{running && count > 0 ? t('objects.removing', { n: removed }) : ''}</div>
      <NotRemoved failed={failed} />
    </Dialog>
  )
}
