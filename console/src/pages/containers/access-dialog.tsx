/** Who may read and write a container, and the end of all temporary URLs that lead into it. */
import { Button, Checkbox, FormGroup, FormHelperText, HelperText, HelperTextItem, Skeleton, TextInput } from '@patternfly/react-core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type ContainerFacts, containerQuery, isPublic, setAccess, setKey, withEveryone } from '../../api/containers.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Failure } from '../../ui/failure.tsx'

interface Props {
  projectId: string
  container: string
  onClose: () => void
}

export function AccessDialog(props: Props) {
  const { t } = useTranslation()
  const { data, error, isFetchedAfterMount } = useQuery({ ...containerQuery(props.projectId, props.container), refetchOnMount: 'always' })
  if (data && isFetchedAfterMount) return <Filled {...props} facts={data} />
  return (
    <Dialog title={t('containers.access_of', { name: props.container })} failed={{ title: t('problem.failed'), error }} onClose={props.onClose}>
      {!error && <Skeleton screenreaderText={t('list.loading')} />}
    </Dialog>
  )
}

function Filled({ projectId, container, onClose, facts }: Props & { facts: ContainerFacts }) {
  const { t } = useTranslation()
  const queryClient = useQueryClient()
  const [read, setRead] = useState(facts.read)
  const [write, setWrite] = useState(facts.write)
  const save = useMutation({ mutationFn: () => setAccess(projectId, container, { read, write }), onSuccess: onClose })
  const end = useMutation({ mutationFn: () => setKey(projectId, container), onSuccess: () => queryClient.invalidateQueries({ queryKey: containerQuery(projectId, container).queryKey }) })
  return (
    <Dialog title={t('containers.access_of', { name: container })} action={t('dialog.save')} working={save.isPending} failed={{ title: t('containers.access_failed'), error: save.error }} onSubmit={() => save.mutate()} onClose={onClose}>
      <Checkbox id="access-everyone" label={t('containers.everyone')} description={t('containers.everyone_help')} isChecked={isPublic(read)} onChange={(_, yes) => setRead(withEveryone(read, yes))} />
      <Acl id="access-read" label={t('containers.read_acl')} value={read} onChange={setRead} />
      <Acl id="access-write" label={t('containers.write_acl')} value={write} onChange={setWrite} />
      {facts.key && (
        <FormGroup label={t('share.links')} role="group">
          <Button variant="secondary" isDanger isDisabled={end.isSuccess} isLoading={end.isPending} onClick={() => end.mutate()}>
            {t('share.end_all')}
          </Button>
          <HelperText aria-live="polite">
            <HelperTextItem variant={end.isSuccess ? 'success' : 'default'}>{t(end.isSuccess ? 'share.all_ended' : 'share.end_all_help')}</HelperTextItem>
          </HelperText>
          {end.error && <Failure title={t('share.end_failed')} error={end.error} />}
        </FormGroup>
      )}
    </Dialog>
  )
}

function Acl({ id, label, value, onChange }: { id: string; label: string; value: string; onChange: (value: string) => void }) {
  const { t } = useTranslation()
  return (
    <FormGroup label={label} fieldId={id}>
      <TextInput id={id} value={value} onChange={(_, text) => onChange(text)} spellCheck={false} autoCapitalize="off" autoComplete="off" aria-describedby={`${id}-help`} />
      <FormHelperText>
        <HelperText id={`${id}-help`}>
          <HelperTextItem>{t('containers.acl_help')}</HelperTextItem>
        </HelperText>
      </FormHelperText>
    </FormGroup>
  )
}
