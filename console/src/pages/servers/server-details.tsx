/** One server: what it is, why it failed if it did, and what was done to it. */
import { Alert, DescriptionList, DescriptionListDescription, DescriptionListGroup, DescriptionListTerm, Skeleton, Title } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { actionsQuery, type InstanceAction, type Server, serverQuery } from '../../api/compute.ts'
import { Copyable } from '../../ui/copyable.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Failure } from '../../ui/failure.tsx'
import { Time } from '../../ui/time.tsx'
import { Addresses, type EmbeddedFlavor, Flavor, Status } from './server-facts.tsx'

export function ServerDetails({ projectId, serverId, onClose }: { projectId: string; serverId: string; onClose: () => void }) {
  const { t } = useTranslation()
  const { data: server, error } = useQuery(serverQuery(projectId, serverId))
  const actions = useQuery(actionsQuery(projectId, serverId))
  return (
    <Dialog large title={server?.name ?? t('servers.details')} failed={{ title: t('problem.failed'), error }} onClose={onClose}>
      {server ? <Facts server={server} /> : !error && <Skeleton screenreaderText={t('list.loading')} />}
      <Title headingLevel="h2" size="md">
        {t('servers.events')}
      </Title>
      {actions.error ? <Failure title={t('servers.events_failed')} error={actions.error} /> : <Events actions={actions.data} />}
    </Dialog>
  )
}

function Facts({ server }: { server: Server }) {
  const { t } = useTranslation()
  const text = (name: string): string => (typeof server[name] === 'string' ? server[name] : '')
  return (
    <>
      {server.fault && (
        <Alert component="p" variant="danger" isInline title={t('servers.fault')}>
          <span className="guest-text">{server.fault.message}</span>
        </Alert>
      )}
      <DescriptionList isHorizontal isCompact>
        <Fact term={t('servers.status')}>
          <Status server={server} />
        </Fact>
        <Fact term={t('servers.id')}>
          <Copyable text={server.id} />
        </Fact>
        <Fact term={t('servers.addresses')}>
          <Addresses server={server} />
        </Fact>
        <Fact term={t('servers.flavor')}>
          <Flavor flavor={server.flavor as EmbeddedFlavor} />
        </Fact>
        <Fact term={t('servers.zone')}>{server['OS-EXT-AZ:availability_zone']}</Fact>
        <Fact term={t('servers.key')}>{text('key_name')}</Fact>
        <Fact term={t('servers.created')}>
          <Time at={server.created} />
        </Fact>
      </DescriptionList>
    </>
  )
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{term}</DescriptionListTerm>
      <DescriptionListDescription className="guest-text">{children || '–'}</DescriptionListDescription>
    </DescriptionListGroup>
  )
}

function Events({ actions }: { actions: readonly InstanceAction[] | undefined }) {
  const { t } = useTranslation()
  const known: Record<string, string> = t('server_action', { returnObjects: true })
  return (
    <Table aria-label={t('servers.events')} aria-busy={!actions} variant="compact">
      <Thead>
        <Tr>
          <Th>{t('servers.event')}</Th>
          <Th>{t('servers.event_at')}</Th>
          <Th>{t('servers.event_end')}</Th>
          <Th>{t('problem.request_id')}</Th>
        </Tr>
      </Thead>
      <Tbody>
        {actions?.map(({ action, request_id, start_time, message }) => (
          <Tr key={request_id + action}>
            <Td dataLabel={t('servers.event')}>{known[action] ?? action}</Td>
            <Td dataLabel={t('servers.event_at')}>
              <Time at={start_time} />
            </Td>
            <Td dataLabel={t('servers.event_end')}>{message === null ? t('servers.event_fine') : <span className="guest-text">{message}</span>}</Td>
            <Td dataLabel={t('problem.request_id')}>
              <Copyable text={request_id} />
            </Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  )
}
