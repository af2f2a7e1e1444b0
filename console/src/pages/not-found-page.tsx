/** No such page, no such project, or no project at all. */
import { Button, EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter } from '@patternfly/react-core'
import { SearchIcon } from '@patternfly/react-icons'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { to } from '../paths.ts'

export function NotFoundPage({ what }: { what: 'title' | 'project' | 'none' }) {
  const { t } = useTranslation()
  return (
    <EmptyState headingLevel="h1" titleText={t(`not_found.${what}`)} icon={SearchIcon} isFullHeight>
      {what !== 'title' && <EmptyStateBody>{t(`not_found.${what}_body`)}</EmptyStateBody>}
      {what !== 'none' && (
        <EmptyStateFooter>
          <EmptyStateActions>
            <Button variant="link" component={(props: object) => <Link {...to.home()} {...props} />}>
              {t('not_found.home')}
            </Button>
          </EmptyStateActions>
        </EmptyStateFooter>
      )}
    </EmptyState>
  )
}
