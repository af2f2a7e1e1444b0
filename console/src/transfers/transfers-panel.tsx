/** What is being uploaded and downloaded, below whatever page one looks at. */
import { Button, Progress } from '@patternfly/react-core'
import { AngleDownIcon, AngleUpIcon } from '@patternfly/react-icons'
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { bytesText } from '../ui/bytes.tsx'
import { pace, timeText } from './pace.ts'
import { TransferEntry } from './transfer-entry.tsx'
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
  const [folded, setFolded] = useState(false)
  const lines = ORDER.flatMap((state) => all.filter((one) => one.state === state)).slice(0, SHOWN)
  const [active, exist, failed] = [count(all, 'waiting', 'running'), count(all, 'exists'), count(all, 'failed')]
  return (
    <section className="transfers" aria-label={t('transfers.title')}>
      <header>
        <Button variant="plain" size="sm" icon={folded ? <AngleUpIcon /> : <AngleDownIcon />} aria-expanded={!folded} aria-label={t('transfers.list')} onClick={() => setFolded(!folded)} />
        <h2>{t('transfers.title')}</h2>
        <span className="quiet">{exist + failed > 0 ? counted(all, t) : t('transfers.counted_fine', { done: count(all, 'done'), all: all.length - count(all, 'cancelled') })}</span>
        <span className="transfers-actions">
          {exist > 1 &&
            (['replace', 'both', 'skip'] as const).map((choice) => (
              <Button key={choice} variant="link" size="sm" onClick={() => transfers.decide(choice)}>
                {t(`transfers.${choice}_all`)}
              </Button>
            ))}
          {failed > 1 && (
            <Button variant="link" size="sm" onClick={() => transfers.retry()}>
              {t('transfers.retry_all')}
            </Button>
          )}
          {active > 0 && (
            <Button variant="link" size="sm" onClick={() => transfers.cancel()}>
              {t('transfers.cancel_all')}
            </Button>
          )}
          <Button variant="link" size="sm" isDisabled={active === all.length} onClick={() => transfers.clear()}>
            {t('transfers.clear')}
          </Button>
        </span>
      </header>
      {active > 0 && all.length > 1 && <Whole all={all} />}
      {!folded && (
        <ul tabIndex={0} aria-label={t('transfers.list')}>
          {lines.map((one) => (
            <li key={one.id}>
              <TransferEntry transfer={one} />
            </li>
          ))}
          {all.length > lines.length && <li className="quiet">{t('list.more', { n: all.length - lines.length })}</li>}
        </ul>
      )}
    </section>
  )
}

/** All of them together: how much has gone, how fast, and for how long still. */
function Whole({ all }: { all: readonly Transfer[] }) {
  const { t, i18n } = useTranslation()
  const meter = useRef(pace())
  const counting = all.filter(({ state }) => state === 'waiting' || state === 'running' || state === 'done')
  const size = sum(counting, 'size')
  const moved = sum(counting, 'moved')
  const speed = meter.current.measure(Date.now(), moved)
  const percent = size === 0 ? 0 : Math.floor((moved / size) * 100)
  const text = (bytes: number): string => bytesText(bytes, i18n.language)
  return (
    <div className="transfer">
      <Progress size="sm" aria-label={t('transfers.whole')} value={percent} label={`${percent} %`} measureLocation="outside" />
      <span className="quiet">
        {t('transfers.moved', { moved: text(moved), size: text(size) })}
        {speed !== undefined && speed > 0 && ` · ${t('transfers.pace', { speed: text(speed), left: timeText((size - moved) / speed, i18n.language) })}`}
      </span>
    </div>
  )
}

type Texts = ReturnType<typeof useTranslation>['t']

const count = (all: readonly Transfer[], ...states: TransferState[]): number => all.filter(({ state }) => states.includes(state)).length
const sum = (all: readonly Transfer[], key: 'size' | 'moved'): number => all.reduce((total, one) => total + one[key], 0)

function counted(all: readonly Transfer[], t: Texts): string {
  return t('transfers.counted', { done: count(all, 'done'), all: all.length - count(all, 'cancelled'), failed: count(all, 'failed', 'exists') })
}

/** Not every per cent is told, only every quarter. */
function said(all: readonly Transfer[], t: Texts): string {
  const size = sum(all, 'size')
  const quarter = size === 0 ? 0 : Math.floor((sum(all, 'moved') / size) * 4) * 25
  return count(all, 'waiting', 'running') > 0 ? t('transfers.under_way', { percent: quarter, counted: counted(all, t) }) : t('transfers.over', { counted: counted(all, t) })
}
