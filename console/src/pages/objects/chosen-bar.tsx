/** What may be done with the lines that are chosen. */
import { Button } from '@patternfly/react-core'
import { useTranslation } from 'react-i18next'
import type { Line } from '../../api/objects.ts'

interface Props {
  lines: readonly Line[]
  readOnly: boolean
  onDownload: () => void
  onOpen: (kind: 'copy' | 'move' | 'remove') => void
  onClear: () => void
}

export function ChosenBar({ lines, readOnly, onDownload, onOpen, onClear }: Props) {
  const { t } = useTranslation()
  if (lines.length === 0) return null
  return (
    <div className="chosen" role="group" aria-label={t('objects.chosen', { n: lines.length })}>
      <strong>{t('objects.chosen', { n: lines.length })}</strong>
      <Button variant="secondary" isDisabled={!lines.some(({ kind }) => kind === 'object')} onClick={onDownload}>
        {t('objects.download')}
      </Button>
      {!readOnly && (
        <>
          <Button variant="secondary" onClick={() => onOpen('copy')}>
            {t('objects.copy')}
          </Button>
          <Button variant="secondary" onClick={() => onOpen('move')}>
            {t('objects.move')}
          </Button>
          <Button variant="secondary" isDanger onClick={() => onOpen('remove')}>
            {t('objects.remove_chosen', { n: lines.length })}
          </Button>
        </>
      )}
      <Button variant="link" onClick={onClear}>
        {t('objects.clear_chosen')}
      </Button>
    </div>
  )
}
