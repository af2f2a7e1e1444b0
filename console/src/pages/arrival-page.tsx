/** Back from an identity provider. */
import { Bullseye, Button, EmptyState, EmptyStateActions, EmptyStateFooter, Spinner } from '@patternfly/react-core'
import { useRouter } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { takeArrival } from '../api/sign-on.ts'
import { safeNext, to } from '../paths.ts'
import { session } from '../session.ts'
import { Failure } from '../ui/failure.tsx'

// The page is loaded anew for each arrival; React may draw it twice.
const arrival = takeArrival()

export function ArrivalPage() {
  const { t } = useTranslation()
  const router = useRouter()
  const [failed, setFailed] = useState<Error>()
  useEffect(() => {
    document.title = `${t('login.submit')} · ${t('brand')}`
    if (!arrival) return setFailed(new Error(t('login.no_arrival')))
    session.adopt(arrival.token).then(() => router.history.replace(safeNext(arrival.next, location.origin)), setFailed)
  }, [router, t])
  if (!failed) {
    return (
      <Bullseye>
        <Spinner aria-label={t('login.arriving')} />
      </Bullseye>
    )
  }
  return (
    <main className="login">
      <Failure title={t('login.failed')} error={failed} />
      <EmptyState variant="xs">
        <EmptyStateFooter>
          <EmptyStateActions>
            <Button onClick={() => void router.navigate({ ...to.login(), replace: true })}>{t('login.again')}</Button>
          </EmptyStateActions>
        </EmptyStateFooter>
      </EmptyState>
    </main>
  )
}
