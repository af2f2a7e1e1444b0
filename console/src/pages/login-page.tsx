/** Name, password and domain for a token of Keystone, or a way to an identity provider. */
import { ActionGroup, Alert, Button, Card, CardBody, CardTitle, Form, FormGroup, InputGroup, InputGroupItem, TextInput, Title } from '@patternfly/react-core'
import { EyeIcon, EyeSlashIcon } from '@patternfly/react-icons'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Navigate, useRouter, useSearch } from '@tanstack/react-router'
import { type FormEvent, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError } from '../api/client.ts'
import { RECEIPT } from '../api/identity.ts'
import { settingsQuery } from '../api/settings.ts'
import { leaveFor } from '../api/sign-on.ts'
import { safeNext, to } from '../paths.ts'
import { session } from '../session.ts'
import { Brand } from '../shell/brand.tsx'
import { LanguageSwitch } from '../shell/language-switch.tsx'
import { useTransfers } from '../transfers/transfers.ts'

export function LoginPage() {
  const { t } = useTranslation()
  const router = useRouter()
  const { next, ended } = useSearch({ from: '/login' })
  const [user, setUser] = useState({ name: '', password: '', domain: 'Default' })
  const [shown, setShown] = useState(false)
  /** Of a right password, where another factor is wanted. */
  const [receipt, setReceipt] = useState<string>()
  const [passcode, setPasscode] = useState('')
  const waiting = useTransfers().filter(({ state }) => state === 'waiting').length
  const login = useMutation({
    mutationFn: session.login,
    onError: (thrown) => {
      const given = thrown instanceof ApiError ? thrown.headers.get(RECEIPT) : null
      if (given !== null) setReceipt(given)
      setPasscode('')
    },
    onSuccess: () => router.history.push(safeNext(next, location.origin)),
  })
  useEffect(() => {
    document.title = `${t('login.submit')} · ${t('brand')}`
  }, [t])

  if (session.current() && login.isIdle) return <Navigate {...to.home()} replace />

  const complete = user.name !== '' && user.password !== '' && user.domain !== '' && (receipt === undefined || passcode !== '')
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (complete && !login.isPending) login.mutate(receipt === undefined ? user : { ...user, receipt, passcode })
  }
  const field = (name: keyof typeof user) => ({ id: name, name, value: user[name], isRequired: true, onChange: (_: unknown, value: string) => (setUser({ ...user, [name]: value }), setReceipt(undefined)) })

  return (
    <main className="login">
      <Brand />
      <Card isLarge>
        <CardTitle>
          <Title headingLevel="h1" size="xl">
            {t('login.title')}
          </Title>
        </CardTitle>
        <CardBody>
          <Form onSubmit={submit}>
            {login.isError ? (
              <Reason error={login.error} second={receipt !== undefined} />
            ) : (
              ended && (
                <Alert component="p" variant="info" isInline title={t('login.ended')}>
                  {waiting > 0 && t('login.waiting', { n: waiting })}
                </Alert>
              )
            )}
            <FormGroup label={t('login.user')} fieldId="name" isRequired>
              <TextInput {...field('name')} autoComplete="username" autoCapitalize="off" spellCheck={false} autoFocus />
            </FormGroup>
            <FormGroup label={t('login.password')} fieldId="password" isRequired>
              <InputGroup>
                <InputGroupItem isFill>
                  <TextInput {...field('password')} type={shown ? 'text' : 'password'} autoComplete="current-password" />
                </InputGroupItem>
                <InputGroupItem>
                  <Button variant="control" icon={shown ? <EyeSlashIcon /> : <EyeIcon />} aria-label={t(shown ? 'login.hide_password' : 'login.show_password')} onClick={() => setShown(!shown)} />
                </InputGroupItem>
              </InputGroup>
            </FormGroup>
            <FormGroup label={t('login.domain')} fieldId="domain" isRequired>
              <TextInput {...field('domain')} autoCapitalize="off" spellCheck={false} />
            </FormGroup>
            {receipt !== undefined && (
              <FormGroup label={t('login.passcode')} fieldId="passcode" isRequired>
                <TextInput id="passcode" name="passcode" value={passcode} isRequired onChange={(_, value) => setPasscode(value.trim())} inputMode="numeric" autoComplete="one-time-code" autoFocus />
              </FormGroup>
            )}
            <ActionGroup>
              <Button type="submit" isBlock isLoading={login.isPending} isDisabled={!complete || login.isPending}>
                {t('login.submit')}
              </Button>
            </ActionGroup>
          </Form>
          <SignOn next={next} />
        </CardBody>
      </Card>
      <div className="language">
        <LanguageSwitch />
      </div>
    </main>
  )
}

/** By whom else one may be known, where the cloud asks somebody. */
function SignOn({ next }: { next: string | undefined }) {
  const { t } = useTranslation()
  const { data } = useQuery(settingsQuery)
  if (!data || data.sign_on.length === 0) return null
  return (
    <section className="sign-on" aria-label={t('login.or')}>
      <p className="quiet" aria-hidden="true">
        {t('login.or')}
      </p>
      {data.sign_on.map((one) => (
        <Button key={`${one.idp_id} ${one.protocol_id}`} variant="secondary" isBlock className="guest-text" onClick={() => leaveFor(one, next, data.public_url)}>
          {t('login.with', { name: one.name })}
        </Button>
      ))}
    </section>
  )
}

/** Why one is not logged in. Keystone asks for a second factor by a receipt, and refuses a wrong one without. */
function Reason({ error, second }: { error: Error; second: boolean }) {
  const { t } = useTranslation()
  if (error instanceof ApiError && error.status === 401 && second) {
    const asked = error.headers.has(RECEIPT)
    return (
      <Alert component="p" variant={asked ? 'info' : 'danger'} isInline title={t(asked ? 'login.more_title' : 'login.failed')}>
        {t(asked ? 'login.more_factors' : 'login.wrong_code')}
      </Alert>
    )
  }
  const words = error instanceof ApiError && (error.status === 0 ? t('problem.network') : error.status === 401 ? t('login.wrong') : undefined)
  return (
    <Alert component="p" variant="danger" isInline title={t('login.failed')}>
      {words || error.message}
    </Alert>
  )
}
