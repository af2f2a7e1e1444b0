import { Button, ToolbarItem } from '@patternfly/react-core'
import { FolderOpenIcon, UploadIcon } from '@patternfly/react-icons'
import { useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { type ChosenFile, chosenFiles } from '../../transfers/dropped-files.ts'

export function UploadButtons({ onFiles }: { onFiles: (files: ChosenFile[]) => void }) {
  const { t } = useTranslation()
  return (
    <>
      <ToolbarItem>
        <Chooser label={t('objects.upload_files')} folder={false} onFiles={onFiles} />
      </ToolbarItem>
      <ToolbarItem>
        <Chooser label={t('objects.upload_folder')} folder onFiles={onFiles} />
      </ToolbarItem>
    </>
  )
}

export function Chooser({ label, folder, onFiles }: { label: string; folder: boolean; onFiles: (files: ChosenFile[]) => void }) {
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <Button variant={folder ? 'secondary' : 'primary'} icon={folder ? <FolderOpenIcon /> : <UploadIcon />} onClick={() => input.current?.click()}>
        {label}
      </Button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={label}
        {...(folder ? { webkitdirectory: '' } : {})}
        onChange={({ target }) => {
          if (target.files) onFiles(chosenFiles(target.files))
          // The same file may be chosen again.
          target.value = ''
        }}
      />
    </>
  )
}
