/** One line of the uploads and downloads, with what may be done about it now. */
import { Button, Progress } from '@patternfly/react-core'
import { DownloadIcon, UploadIcon } from '@patternfly/react-icons'
import { useTranslation } from 'react-i18next'
import { bytesText } from '../ui/bytes.tsx'
import { Failure } from '../ui/failure.tsx'
import { type Transfer, transfers } from './transfers.ts'

const LOOKS: Partial<Record<Transfer['state'], { variant: 'success' | 'danger' | 'warning' }>> = { done: { variant: 'success' }, failed: { variant: 'danger' }, exists: { variant: 'warning' } }

export function TransferEntry({ transfer: { id, kind, container, name, size, moved, state, error } }: { transfer: Transfer }) {
  const { t, i18n } = useTranslation()
  const percent = size === 0 ? (state === 'done' ? 100 : 0) : Math.floor((moved / size) * 100)
  return (
    <>
      <div className="transfer">
        <span className="named">
          {kind === 'upload' ? <UploadIcon /> : <DownloadIcon />}
          <span className="guest-text" title={`${container}/${name}`}>{`${container}/${name}`}</span>
        </span>
        <Progress
          size="sm"
          aria-label={t(`transfers.${kind}_of`, { name })}
          value={percent}
          label={state === 'running' ? `${percent} %` : t(`transfers.${state}`)}
          valueText={t(`transfers.${state}`)}
          {...LOOKS[state]}
          measureLocation="outside"
        />
        <span className="quiet">{bytesText(size, i18n.language)}</span>
        {(state === 'waiting' || state === 'running') && <Act label={t('dialog.cancel')} full={t('transfers.cancel_of', { name })} onClick={() => transfers.cancel(id)} />}
        {state === 'failed' && <Act label={t('problem.retry')} full={t('transfers.retry_of', { name })} onClick={() => transfers.retry(id)} />}
        {state === 'exists' && (['replace', 'both', 'skip'] as const).map((choice) => <Act key={choice} label={t(`transfers.${choice}`)} full={t(`transfers.${choice}_of`, { name })} onClick={() => transfers.decide(choice, id)} />)}
      </div>
      {state === 'failed' && error && <Failure title={t(`transfers.${kind}_failed`)} error={error} />}
    </>
  )
}

function Act({ label, full, onClick }: { label: string; full: string; onClick: () => void }) {
  return (
    <Button variant="link" size="sm" aria-label={full} onClick={onClick}>
      {label}
    </Button>
  )
}
