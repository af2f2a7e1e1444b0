/** Above a list: find by name, refresh, and the pages of a list that is paged by markers. */
import { Button, SearchInput, Toolbar, ToolbarContent, ToolbarGroup, ToolbarItem } from '@patternfly/react-core'
import { SyncAltIcon } from '@patternfly/react-icons'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { localeOf } from './time.tsx'

interface Props {
  /** What is found by, where it is not a part of the name. */
  label?: string
  /** What may be done here. */
  actions?: ReactNode
  name: string | undefined
  onFind: (name: string | undefined) => void
  /** Milliseconds since the epoch; 0 before the first answer. */
  updatedAt: number
  onRefresh: () => void
  onFirst: (() => void) | undefined
  onPrevious?: (() => void) | undefined
  onNext: (() => void) | undefined
}

export function ListToolbar({ label, actions, name, onFind, updatedAt, onRefresh, onFirst, onPrevious, onNext }: Props) {
  const { t, i18n } = useTranslation()
  const [typed, setTyped] = useState(name ?? '')
  return (
    <Toolbar inset={{ default: 'insetNone' }}>
      <ToolbarContent>
        <ToolbarItem>
          <SearchInput
            aria-label={label ?? t('list.find')}
            placeholder={t(label === undefined ? 'list.find' : 'list.begins')}
            resetButtonLabel={t('list.clear')}
            submitSearchButtonLabel={label ?? t('list.find')}
            value={typed}
            onChange={(_, value) => setTyped(value)}
            onSearch={(_, value) => onFind(value || undefined)}
            onClear={() => {
              setTyped('')
              onFind(undefined)
            }}
          />
        </ToolbarItem>
        {actions && <ToolbarGroup>{actions}</ToolbarGroup>}
        <ToolbarItem>
          <Button variant="plain" icon={<SyncAltIcon />} aria-label={t('list.refresh')} onClick={onRefresh} />
        </ToolbarItem>
        {updatedAt > 0 && (
          <ToolbarItem alignSelf="center" className="quiet">
            {t('list.updated', { time: new Intl.DateTimeFormat(localeOf(i18n.language), { timeStyle: 'medium' }).format(updatedAt) })}
          </ToolbarItem>
        )}
        {(onFirst || onNext) && (
          <ToolbarGroup align={{ default: 'alignEnd' }}>
            <Button variant="link" isDisabled={!onFirst} onClick={onFirst}>
              {t('list.first')}
            </Button>
            {onPrevious && (
              <Button variant="link" onClick={onPrevious}>
                {t('list.previous')}
              </Button>
            )}
            <Button variant="link" isDisabled={!onNext} onClick={onNext}>
              {t('list.next')}
            </Button>
          </ToolbarGroup>
        )}
      </ToolbarContent>
    </Toolbar>
  )
}
