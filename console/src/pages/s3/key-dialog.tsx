/** One key with its secret, and the lines that clients want of it. */
import { Alert, FormGroup } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { S3Key } from '../../api/s3-keys.ts'
import { endpointOf, s3Lines } from '../../api/s3-lines.ts'
import { settingsQuery } from '../../api/settings.ts'
import { Copyable } from '../../ui/copyable.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Snippet } from '../../ui/snippet.tsx'

const CLIENTS = { aws: 'aws (AWS CLI)', rclone: 'rclone', s3cmd: 's3cmd' } as const

export function KeyDialog({ s3Key, onClose }: { s3Key: S3Key; onClose: () => void }) {
  const { t } = useTranslation()
  const { data } = useQuery(settingsQuery)
  const place = { origin: location.origin, region: data?.s3_region || 'us-east-1' }
  const lines = s3Lines(s3Key, place)
  return (
    <Dialog large title={t('s3.use')} onClose={onClose}>
      <Alert component="p" variant="info" isInline title={t('s3.secret_warning')} />
      <FormGroup label={t('s3.endpoint')} fieldId="s3-endpoint">
        <Copyable text={endpointOf(place)} field={t('s3.endpoint')} />
      </FormGroup>
      <FormGroup label={t('s3.access')} fieldId="s3-access">
        <Copyable text={s3Key.access} field={t('s3.access')} />
      </FormGroup>
      <FormGroup label={t('s3.secret')} fieldId="s3-secret">
        <Copyable text={s3Key.secret} field={t('s3.secret')} />
      </FormGroup>
      {(Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]).map((client) => (
        <FormGroup key={client} label={CLIENTS[client]} role="group" fieldId={`s3-${client}`}>
          <Snippet label={CLIENTS[client]} text={lines[client]} />
        </FormGroup>
      ))}
    </Dialog>
  )
}
