/** Why something was not done: what the service said, what to do next, and the id under which the log tells more. */
import { Alert } from '@patternfly/react-core'
import { useTranslation } from 'react-i18next'
import { ApiError } from '../api/client.ts'
import { FileGone } from '../transfers/file-gone.ts'
import { Copyable } from './copyable.tsx'

export function Failure({ title, error }: { title: string; error: Error }) {
  const { t } = useTranslation()
  const api = error instanceof ApiError ? error : undefined
  const next = error instanceof FileGone ? 'file_gone' : nextOf(api)
  return (
    <Alert component="p" variant="danger" isInline title={title} role="alert">
      {error.message !== '' && <p className="guest-text">{error.message}</p>}
      {next && <p>{t(`problem.next.${next}`)}</p>}
      {api?.requestId && (
        <p>
          <span className="quiet">{t('problem.request_id')}</span> <Copyable text={api.requestId} />
        </p>
      )}
    </Alert>
  )
}

type Next = 'network' | 'login' | 'forbidden' | 'missing' | 'conflict' | 'exists' | 'too_large' | 'damaged' | 'slower' | 'full' | 'later'

export function nextOf(error: ApiError | undefined): Next | undefined {
  const byStatus: Readonly<Record<number, Next>> = { 0: 'network', 401: 'login', 403: 'forbidden', 404: 'missing', 409: 'conflict', 412: 'exists', 413: 'too_large', 422: 'damaged', 429: 'slower', 498: 'slower', 507: 'full' }
  if (!error) return undefined
  return byStatus[error.status] ?? (error.status >= 500 ? 'later' : undefined)
}
