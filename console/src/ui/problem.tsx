/** An error in the place of what was asked for: what it means, what the service said, and the id under which the log tells more. */
import { Button, EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter } from '@patternfly/react-core'
import { useTranslation } from 'react-i18next'
import { ApiError } from '../api/client.ts'
import { Copyable } from './copyable.tsx'

/** `missing` is what a 404 means where it is shown, if not that there is no such service. */
export function Problem({ error, retry, missing }: { error: Error; retry: () => void; missing?: string | undefined }) {
  const { t } = useTranslation()
  const api = error instanceof ApiError ? error : undefined
  return (
    <EmptyState headingLevel="h2" status="danger" titleText={api?.status === 404 && missing !== undefined ? missing : t(`problem.${kindOf(api)}`)}>
      <EmptyStateBody className="guest-text">{api?.status === 0 ? t('problem.network_body') : error.message}</EmptyStateBody>
      {api?.status === 403 && <EmptyStateBody>{t('problem.next.forbidden')}</EmptyStateBody>}
      <EmptyStateFooter>
        {api?.requestId && (
          <EmptyStateBody>
            <span className="quiet">{t('problem.request_id')}</span>{' '}
            <Copyable text={api.requestId} />
          </EmptyStateBody>
        )}
        <EmptyStateActions>
          <Button variant="secondary" onClick={retry}>
            {t('problem.retry')}
          </Button>
        </EmptyStateActions>
      </EmptyStateFooter>
    </EmptyState>
  )
}

function kindOf(error: ApiError | undefined): 'unexpected' | 'network' | 'forbidden' | 'missing' | 'failed' {
  if (!error) return 'unexpected'
  if (error.status === 0) return 'network'
  if (error.status === 403) return 'forbidden'
  return error.status === 404 || error.status === 501 ? 'missing' : 'failed'
}
