/** What is being uploaded and downloaded, below whatever page one looks at. */
import { Button, Progress } from '@patternfly/react-core'
import { DownloadIcon, UploadIcon } from '@patternfly/react-icons'
import { useTranslation } from 'react-i18next'
import { bytesText } from '../ui/bytes.tsx'
import { Failure } from '../ui/failure.tsx'
import { type Transfer, transfers, type TransferState, useTransfers } from './transfers.ts'

/** So many lines are drawn: what needs somebody first, then what runs. */
const SHOWN = 30
const ORDER: readonly TransferState[] = ['exists', 'failed', 'running', 'waiting', 'done', 'cancelled']

export function TransfersPanel() {
  const { t } = useTranslation()
  const all = useTransfers()
  // It is there before there is anything to say, so that what is said later is heard.
  return (
    <>
      <div role="status" className="pf-v6-screen-reader">
        {all.length > 0 && said(all, t)}
      </div>
      {all.length > 0 && <Panel all={all} />}
    </>
  )
}

function Panel({ all }: { all: readonly Transfer[] }) {
  const { t } = useTranslation()
  const ended = all.every(({ state }) => state !== 'waiting' && state !== 'running')
  const lines = ORDER.flatMap((state) => all.filter((one) => one.state === state)).slice(0, SHOWN)
  return (
    <section className="transfers" aria-label={t('transfers.title')}>
      <header>
        <h2>{t('transfers.title')}</h2>
        <span className="quiet">{counted(all, t)}</span>
        <span className="transfers-actions">
          {!ended && (
            <Button variant="link" size="sm" onClick={() => transfers.cancel()}>
              {t('transfers.cancel_all')}
            </Button>
          )}
          <Button variant="link" size="sm" isDisabled={all.every(({ state }) => state === 'waiting' || state === 'running')} onClick={() => transfers.clear()}>
            {t('transfers.clear')}
          </Button>
        </span>
      </header>
      <ul tabIndex={0} aria-label={t('transfers.list')}>
        {lines.map((one) => (
          <li key={one.id}>
            <Entry transfer={one} />
          </li>
        ))}
        {all.length > lines.length && <li className="quiet">{t('list.more', { n: all.length - lines.length })}</li>}
      </ul>
    </section>
  )
}

function Entry({ transfer: { id, kind, container, name, size, moved, state, error } }: { transfer: Transfer }) {
  const { t, i18n } = useTranslation()
  const percent = size === 0 ? (state === 'done' ? 100 : 0) : Math.floor((moved / size) * 100)
  const look = state === 'done' ? ({ variant: 'success' } as const) : state === 'failed' ? ({ variant: 'danger' } as const) : state === 'exists' ? ({ variant: 'warning' } as const) : {}
  return (
    <>
      <div className="transfer">
        <span className="named">
          {kind === 'upload' ? <UploadIcon /> : <DownloadIcon />}
          <span className="guest-text">{`${container}/${name}`}</span>
        </span>
        <Progress
          size="sm"
          aria-label={t(`transfers.${kind}_of`, { name })}
          value={percent}
          label={state === 'running' ? `${percent} %` : t(`transfers.${state}`)}
          valueText={t(`transfers.${state}`)}
          {...look}
          measureLocation="outside"
        />
        <span className="quiet">{bytesText(size, i18n.language)}</span>
        {(state === 'waiting' || state === 'running') && (
          <Button variant="link" size="sm" aria-label={t('transfers.cancel_of', { name })} onClick={() => transfers.cancel(id)}>
            {t('dialog.cancel')}
          </Button>
        )}
        {state === 'failed' && (
          <Button variant="link" size="sm" aria-label={t('transfers.retry_of', { name })} onClick={() => transfers.retry(id)}>
            {t('problem.retry')}
          </Button>
        )}
        {state === 'exists' && (
          <>
            <Button variant="link" size="sm" aria-label={t('transfers.replace_of', { name })} onClick={() => transfers.retry(id, true)}>
              {t('transfers.replace')}
            </Button>
            <Button variant="link" size="sm" aria-label={t('transfers.skip_of', { name })} onClick={() => transfers.cancel(id)}>
              {t('transfers.skip')}
            </Button>
          </>
        )}
      </div>
      {state === 'failed' && error && <Failure title={t(`transfers.${kind}_failed`)} error={error} />}
    </>
  )
}

type Texts = ReturnType<typeof useTranslation>['t']

const count = (all: readonly Transfer[], ...states: TransferState[]): number => all.filter(({ state }) => states.includes(state)).length

function counted(all: readonly Transfer[], t: Texts): string {
  return t('transfers.counted', { done: count(all, 'done'), all: all.length - count(all, 'cancelled'), failed: count(all, 'failed', 'exists') })
}

/** Not every per cent is told, only every quarter. */
function said(all: readonly Transfer[], t: Texts): string {
  const size = all.reduce((sum, one) => sum + one.size, 0)
  const quarter = size === 0 ? 0 : Math.floor((all.reduce((sum, one) => sum + one.moved, 0) / size) * 4) * 25
  return count(all, 'waiting', 'running') > 0 ? t('transfers.under_way', { percent: quarter, counted: counted(all, t) }) : t('transfers.over', { counted: counted(all, t) })
}
