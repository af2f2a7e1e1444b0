import { FormGroup, FormHelperText, HelperText, HelperTextItem, TextInput } from '@patternfly/react-core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { makeFolder } from '../../api/objects.ts'
import { Dialog } from '../../ui/dialog.tsx'

export function FolderDialog({ projectId, container, folder, onClose }: { projectId: string; container: string; folder: string; onClose: () => void }) {
  const { t } = useTranslation()
  const [name, setName] = useState('')
  const path = name.replace(/^\/+|\/+$/g, '')
  const make = useMutation({ mutationFn: () => makeFolder(projectId, container, `${folder}${path}/`), onSuccess: onClose })
  return (
    <Dialog title={t('objects.make_folder')} action={t('objects.make_folder_action')} disabled={path === ''} working={make.isPending} failed={{ title: t('objects.make_folder_failed'), error: make.error }} onSubmit={() => make.mutate()} onClose={onClose}>
      <FormGroup label={t('objects.folder_name')} fieldId="folder-name" isRequired>
        <TextInput id="folder-name" value={name} onChange={(_, value) => setName(value)} isRequired autoFocus autoComplete="off" autoCapitalize="off" spellCheck={false} aria-describedby="folder-help" />
        <FormHelperText>
          <HelperText id="folder-help">
            <HelperTextItem>{t('objects.folder_help')}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      </FormGroup>
    </Dialog>
  )
}
