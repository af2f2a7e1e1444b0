/** Keys for S3's clients: made, shown with the lines to paste, revoked. */
import { Button, PageSection, Title } from '@patternfly/react-core'
import { KeyIcon } from '@patternfly/react-icons'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { endpointOf } from '../api/s3-lines.ts'
import { makeS3Key, revokeS3Key, type S3Key, s3KeysQuery } from '../api/s3-keys.ts'
import { Copyable } from '../ui/copyable.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Empty } from '../ui/empty.tsx'
import { Failure } from '../ui/failure.tsx'
import { type Column, ResourceTable } from '../ui/resource-table.tsx'
import { RowMenu } from '../ui/row-menu.tsx'
import { KeyDialog } from './s3/key-dialog.tsx'

type Row = S3Key & { id: string }

export function S3Page() {
  const { t } = useTranslation()
  const { project_id } = useParams({ from: '/inside/projects/$project_id/s3' })
  const queryClient = useQueryClient()
  const [opened, setOpened] = useState<{ kind: 'use' | 'revoke'; key: S3Key }>()
  const { data, error, refetch } = useQuery(s3KeysQuery(project_id))
  const refresh = (): Promise<void> => queryClient.invalidateQueries({ queryKey: s3KeysQuery(project_id).queryKey })
  const make = useMutation({
    mutationFn: () => makeS3Key(project_id),
    onSuccess: (key) => {
      setOpened({ kind: 'use', key })
      return refresh()
    },
  })
  useEffect(() => {
    document.title = `${t('s3.title')} · ${t('brand')}`
  }, [t])
  const close = (): void => {
    setOpened(undefined)
    void refresh()
  }
  const columns: Column<Row>[] = [
    { title: t('s3.access'), cell: ({ access }) => <Copyable text={access} /> },
    {
      title: t('s3.secret'),
      cell: (key) => (
        <Button variant="link" isInline aria-label={t('s3.use_of', { name: key.access })} onClick={() => setOpened({ kind: 'use', key })}>
          {t('s3.use')}
        </Button>
      ),
    },
    { title: t('list.actions'), quiet: true, cell: (key) => <RowMenu name={key.access} items={[{ label: t('s3.revoke'), danger: true, onClick: () => setOpened({ kind: 'revoke', key }) }]} /> },
  ]
  const button = (label: string) => (
    <Button isLoading={make.isPending} isDisabled={make.isPending} onClick={() => make.mutate()}>
      {label}
    </Button>
  )
  return (
    <PageSection hasBodyWrapper={false}>
      <Title headingLevel="h1">{t('s3.title')}</Title>
      <p>
        {t('s3.about')} <Copyable text={endpointOf({ origin: location.origin, region: '' })} />
      </p>
      {make.error && <Failure title={t('s3.make_failed')} error={make.error} />}
      {data && data.length > 0 && <div>{button(t('s3.make'))}</div>}
      <ResourceTable
        label={t('s3.title')}
        columns={columns}
        rows={data?.map((key) => ({ ...key, id: key.access }))}
        error={error}
        retry={() => void refetch()}
        empty={<Empty icon={KeyIcon} title={t('s3.none')} body={t('s3.none_body')} action={button(t('s3.make_first'))} command="openstack ec2 credentials create" />}
      />
      {opened?.kind === 'use' && <KeyDialog s3Key={opened.key} onClose={close} />}
      {opened?.kind === 'revoke' && <RevokeKey projectId={project_id} access={opened.key.access} onClose={close} />}
    </PageSection>
  )
}

function RevokeKey({ projectId, access, onClose }: { projectId: string; access: string; onClose: () => void }) {
  const { t } = useTranslation()
  const revoke = useMutation({ mutationFn: () => revokeS3Key(projectId, access), onSuccess: onClose })
  return <Dialog title={t('s3.revoke_title', { name: access })} description={t('s3.revoke_body')} danger action={t('s3.revoke')} working={revoke.isPending} failed={{ title: t('s3.revoke_failed'), error: revoke.error }} onSubmit={() => revoke.mutate()} onClose={onClose} />
}
