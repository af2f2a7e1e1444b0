/** Said once on a page where one may only look: what is not there, and whom to ask. */
import { Alert } from '@patternfly/react-core'
import { useTranslation } from 'react-i18next'

export function ReadOnly() {
  const { t } = useTranslation()
  return (
    <Alert component="p" variant="info" isInline isPlain title={t('read_only.title')}>
      {t('read_only.body')}
    </Alert>
  )
}
