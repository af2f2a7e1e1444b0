/** The same under another name, in another folder or container; or once more there. Of several, only the folder changes. */
import { FormGroup, FormHelperText, HelperText, HelperTextItem, TextInput } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { containersQuery } from '../../api/containers.ts'
import { type Line, shortName } from '../../api/objects.ts'
import { isInItself, relocate, type Target } from '../../api/relocation.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { NotDone, useLongTask } from './long-task.tsx'

interface Props {
  kind: 'copy' | 'move'
  projectId: string
  container: string
  folder: string
  lines: readonly Line[]
  onClose: () => void
}

export function CopyDialog({ kind, projectId, container, folder, lines, onClose }: Props) {
  const { t } = useTranslation()
  const only = lines.length === 1 ? lines[0]! : undefined
  const [into, setInto] = useState(container)
  const [name, setName] = useState(only ? only.name.replace(/(?<=.)\/$/, '') : folder)
  const { data: known } = useQuery(containersQuery(projectId, {}, 1000))
  const target: Target = { container: into, rename: (old) => (only ? (only.kind === 'folder' ? asFolder(name) : name) : asFolder(name) + old.slice(folder.length)) }
  const { start, stop, done, failed, running, error } = useLongTask((signal, onProgress) => relocate(kind, projectId, container, lines, target, signal, onProgress), onClose)
  const many = !only || only.kind === 'folder'
  const shown = only ? shortName(only.name, folder) : t('objects.several', { n: lines.length })
  const segmented = lines.some((line) => line.kind === 'object' && line.object.slo_etag !== undefined)
  return (
    <Dialog
      title={t(`objects.${kind}_title`, { name: shown })}
      action={t(`objects.${kind}_action`)}
      disabled={isInItself(container, lines, target) || (only !== undefined && name === '') || into === ''}
      working={running}
      failed={{ title: t(`objects.${kind}_failed`), error }}
      onSubmit={start}
      onClose={() => {
        stop()
        onClose()
      }}
    >
      <FormGroup label={t(only ? 'objects.new_name' : 'objects.into_folder')} fieldId="copy-name" isRequired={only !== undefined}>
        <TextInput id="copy-name" value={name} onChange={(_, value) => setName(value)} isRequired={only !== undefined} autoFocus autoComplete="off" autoCapitalize="off" spellCheck={false} aria-describedby="copy-help" />
        <FormHelperText>
          <HelperText id="copy-help">
            <HelperTextItem>{t(segmented ? 'objects.segmented_help' : 'objects.name_help')}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      </FormGroup>
      <FormGroup label={t('objects.container')} fieldId="copy-container" isRequired>
        <TextInput id="copy-container" value={into} list="copy-containers" onChange={(_, value) => setInto(value)} isRequired autoComplete="off" autoCapitalize="off" spellCheck={false} />
        <datalist id="copy-containers">
          {known?.containers.map((one) => (
            <option key={one.name} value={one.name} />
          ))}
        </datalist>
      </FormGroup>
      <div role="status">{running && many ? t(`objects.${kind}_progress`, { n: done }) : ''}</div>
      <NotDone title={t('objects.not_done', { n: failed.length })} failed={failed} />
    </Dialog>
  )
}

const asFolder = (name: string): string => (name === '' || name.endsWith('/') ? name : `${name}/`)
