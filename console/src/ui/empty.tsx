/** In the place of a list that has no lines: because nothing was made yet, or because nothing is found. */
import { EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter } from '@patternfly/react-core'
import { SearchIcon } from '@patternfly/react-icons'
import type { ComponentType, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Copyable } from './copyable.tsx'

interface Props {
  icon: ComponentType
  title: string
  body: string
  /** How the first one is made: by a button, and by whom who likes commands. */
  action?: ReactNode
  command?: string
}

export function Empty({ icon, title, body, action, command }: Props) {
  const { t } = useTranslation()
  return (
    <EmptyState headingLevel="h2" icon={icon} titleText={title}>
      <EmptyStateBody>{body}</EmptyStateBody>
      <EmptyStateFooter>
        {action && <EmptyStateActions>{action}</EmptyStateActions>}
        {command && (
          <EmptyStateBody>
            <span className="quiet">{t('list.by_command')}</span> <Copyable text={command} />
          </EmptyStateBody>
        )}
      </EmptyStateFooter>
    </EmptyState>
  )
}

export function NothingFound({ body }: { body: string }) {
  const { t } = useTranslation()
  return (
    <EmptyState headingLevel="h2" icon={SearchIcon} titleText={t('list.nothing_found')}>
      <EmptyStateBody className="guest-text">{body}</EmptyStateBody>
    </EmptyState>
  )
}
