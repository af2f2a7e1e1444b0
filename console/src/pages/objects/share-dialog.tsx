/** An address for somebody who has no account here: one object, for a time that one chooses. */
import { Alert, FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { isPublic } from '../../api/acl.ts'
import { type ContainerFacts, containerQuery, setKey } from '../../api/containers.ts'
import { pathOf } from '../../api/object-store.ts'
import { type Duration, DURATIONS, temporaryUrl } from '../../api/temporary-url.ts'
import { Copyable } from '../../ui/copyable.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Time } from '../../ui/time.tsx'
import { WithFacts } from '../containers/with-facts.tsx'

interface Props {
  projectId: string
  container: string
  object: string
  /** It is asked for because the object is to be downloaded. */
  forDownload: boolean
  onClose: () => void
}

export function ShareDialog(props: Props) {
  const { t } = useTranslation()
  // A key that another has made meanwhile is not to be replaced.
  return (
    <WithFacts {...props} title={t('share.title', { name: props.object })}>
      {(facts) => <Filled {...props} facts={facts} />}
    </WithFacts>
  )
}

function Filled({ projectId, container, object, forDownload, onClose, facts }: Props & { facts: ContainerFacts }) {
  const { t } = useTranslation()
  const queryClient = useQueryClient()
  const [duration, setDuration] = useState<Duration>('day')
  const make = useMutation({
    mutationFn: async () => {
      const key = facts.key ?? (await setKey(projectId, container))
      const expires = Math.floor((Date.now() + facts.ahead) / 1000) + DURATIONS[duration]
      return { url: location.origin + temporaryUrl(projectId, { container, object }, key, expires), expires }
    },
    onSuccess: () => queryClient.invalidateQueries({ queryKey: containerQuery(projectId, container).queryKey }),
  })
  const link = make.data
  return (
    <Dialog title={t('share.title', { name: object })} action={link ? undefined : t(facts.key ? 'share.make' : 'share.make_with_key')} working={make.isPending} failed={{ title: t('share.failed'), error: make.error }} onSubmit={() => make.mutate()} onClose={onClose}>
      {forDownload && (
        <Alert component="p" variant="info" isInline title={t('share.for_download')}>
          {t('share.for_download_body')}
        </Alert>
      )}
      {isPublic(facts.read) && (
        <Alert component="p" variant="info" isInline title={t('share.public')}>
          <Copyable text={location.origin + pathOf(projectId, container, object)} field={t('share.public_address')} />
        </Alert>
      )}
      {!facts.key && !link && (
        <Alert component="p" variant="info" isInline title={t('share.no_key')}>
          {t('share.no_key_body')}
        </Alert>
      )}
      <FormGroup label={t('share.duration')} fieldId="share-duration">
        <FormSelect
          id="share-duration"
          value={duration}
          onChange={(_, value) => {
            setDuration(value as Duration)
            make.reset()
          }}
        >
          {(Object.keys(DURATIONS) as Duration[]).map((one) => (
            <FormSelectOption key={one} value={one} label={t(`duration.${one}`)} />
          ))}
        </FormSelect>
      </FormGroup>
      <div role="status">
        {link && (
          <>
            <Copyable text={link.url} field={t('share.link')} />
            <p className="quiet">
              {t('share.until')} <Time at={new Date(link.expires * 1000).toISOString()} />. {t('share.warning')}
            </p>
          </>
        )}
      </div>
    </Dialog>
  )
}
