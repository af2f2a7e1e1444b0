/** Who may read and write a container, and the end of all temporary URLs that lead into it. */
import { Button, FormGroup, HelperText, HelperTextItem } from '@patternfly/react-core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { accessOf, aclsOf, isPart } from '../../api/acl.ts'
import { type ContainerFacts, containerQuery, setAccess, setKey } from '../../api/containers.ts'
import { pathOf } from '../../api/object-store.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Failure } from '../../ui/failure.tsx'
import { AclEditor } from './acl-editor.tsx'
import { WithFacts } from './with-facts.tsx'

interface Props {
  projectId: string
  container: string
  onClose: () => void
}

export function AccessDialog(props: Props) {
  const { t } = useTranslation()
  return (
    <WithFacts {...props} title={t('containers.access_of', { name: props.container })}>
      {(facts) => <Filled {...props} facts={facts} />}
    </WithFacts>
  )
}

function Filled({ projectId, container, onClose, facts }: Props & { facts: ContainerFacts }) {
  const { t } = useTranslation()
  const [access, setAccessLines] = useState(() => accessOf(facts))
  const save = useMutation({ mutationFn: () => setAccess(projectId, container, aclsOf(access)), onSuccess: onClose })
  const wrong = access.grants.some(({ project, user }) => !isPart(project) || !isPart(user))
  return (
    <Dialog large title={t('containers.access_of', { name: container })} action={t('dialog.save')} disabled={wrong} working={save.isPending} failed={{ title: t('containers.access_failed'), error: save.error }} onSubmit={() => save.mutate()} onClose={onClose}>
      <AclEditor access={access} address={`${location.origin}${pathOf(projectId, container)}/`} onChange={setAccessLines} />
      {facts.key && <EndLinks projectId={projectId} container={container} />}
    </Dialog>
  )
}

/** Another key: in two steps, since it cannot be undone. */
function EndLinks({ projectId, container }: { projectId: string; container: string }) {
  const { t } = useTranslation()
  const queryClient = useQueryClient()
  const [sure, setSure] = useState(false)
  const end = useMutation({ mutationFn: () => setKey(projectId, container), onSuccess: () => queryClient.invalidateQueries({ queryKey: containerQuery(projectId, container).queryKey }) })
  return (
    <FormGroup label={t('share.links')} role="group">
      <Button variant={sure ? 'danger' : 'secondary'} isDanger isDisabled={end.isSuccess} isLoading={end.isPending} onClick={() => (sure ? end.mutate() : setSure(true))}>
        {t(sure ? 'share.end_all_sure' : 'share.end_all')}
      </Button>
      <HelperText aria-live="polite">
        <HelperTextItem variant={end.isSuccess ? 'success' : sure ? 'warning' : 'default'}>{t(end.isSuccess ? 'share.all_ended' : 'share.end_all_help')}</HelperTextItem>
      </HelperText>
      {end.error && <Failure title={t('share.end_failed')} error={end.error} />}
    </FormGroup>
  )
}
