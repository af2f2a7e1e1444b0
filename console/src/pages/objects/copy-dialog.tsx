/** Another object with the same content; or the same under another name, in another folder or container. */
import { FormGroup, FormHelperText, HelperText, HelperTextItem, TextInput } from '@patternfly/react-core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { containersQuery } from '../../api/containers.ts'
import { copyObject, moveObject, type StoredObject } from '../../api/objects.ts'
import { Dialog } from '../../ui/dialog.tsx'

export function CopyDialog({ kind, projectId, container, object, onClose }: { kind: 'copy' | 'move'; projectId: string; container: string; object: StoredObject; onClose: () => void }) {
  const { t } = useTranslation()
  const [target, setTarget] = useState(container)
  const [name, setName] = useState(object.name)
  const { data: known } = useQuery(containersQuery(projectId, {}, 1000))
  const run = useMutation({
    mutationFn: () => (kind === 'copy' ? copyObject : moveObject)(projectId, { container, object: object.name, segmented: object.slo_etag !== undefined }, { container: target, object: name }),
    onSuccess: onClose,
  })
  const same = target === container && name === object.name
  return (
    <Dialog
      title={t(`objects.${kind}_title`, { name: object.name })}
      action={t(`objects.${kind}_action`)}
      disabled={same || name === '' || target === ''}
      working={run.isPending}
      failed={{ title: t(`objects.${kind}_failed`), error: run.error }}
      onSubmit={() => run.mutate()}
      onClose={onClose}
    >
      <FormGroup label={t('objects.new_name')} fieldId="copy-name" isRequired>
        <TextInput id="copy-name" value={name} onChange={(_, value) => setName(value)} isRequired autoFocus autoComplete="off" autoCapitalize="off" spellCheck={false} aria-describedby="copy-help" />
        <FormHelperText>
          <HelperText id="copy-help">
            <HelperTextItem>{t(object.slo_etag === undefined ? 'objects.name_help' : 'objects.segmented_help')}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      </FormGroup>
      <FormGroup label={t('objects.container')} fieldId="copy-container" isRequired>
        <TextInput id="copy-container" value={target} list="copy-containers" onChange={(_, value) => setTarget(value)} isRequired autoComplete="off" autoCapitalize="off" spellCheck={false} />
        <datalist id="copy-containers">
          {known?.containers.map((one) => (
            <option key={one.name} value={one.name} />
          ))}
        </datalist>
      </FormGroup>
    </Dialog>
  )
}
