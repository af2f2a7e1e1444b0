/** One object: what it is, what it looks like, its metadata and when it is deleted by itself. */
import { Button, DescriptionList, DescriptionListDescription, DescriptionListGroup, DescriptionListTerm, FormGroup, FormSelect, FormSelectOption, Label, Skeleton, TextInput } from '@patternfly/react-core'
import { DownloadIcon, ShareAltIcon, TrashIcon } from '@patternfly/react-icons'
import { useMutation, useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { containerQuery } from '../../api/containers.ts'
import { pathOf } from '../../api/object-store.ts'
import { changeObject, type ObjectFacts, objectQuery } from '../../api/objects.ts'
import { type Duration, DURATIONS } from '../../api/temporary-url.ts'
import { useReadOnly } from '../../session.ts'
import { Bytes } from '../../ui/bytes.tsx'
import { Copyable } from '../../ui/copyable.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Time } from '../../ui/time.tsx'
import { Preview } from './preview.tsx'
import { Versions } from './versions.tsx'

interface Props {
  projectId: string
  container: string
  object: string
  onDownload: (facts: { name: string; bytes: number }) => void
  onShare: () => void
  onClose: () => void
}

export function ObjectDetails(props: Props) {
  const { t } = useTranslation()
  const { data, error, isFetchedAfterMount } = useQuery({ ...objectQuery(props.projectId, props.container, props.object), refetchOnMount: 'always', refetchOnWindowFocus: false })
  // Fields begin with what is, not with what was when one looked the last time; and keep what is written in them.
  if (data && isFetchedAfterMount) return <Filled key={data.etag + data.modified} {...props} facts={data} />
  return (
    <Dialog large title={props.object} failed={{ title: t('problem.failed'), error }} onClose={props.onClose}>
      {!error && <Skeleton screenreaderText={t('list.loading')} />}
    </Dialog>
  )
}

function Filled({ projectId, container, object, onDownload, onShare, onClose, facts }: Props & { facts: ObjectFacts }) {
  const { t } = useTranslation()
  const readOnly = useReadOnly(projectId)
  const versions = useQuery(containerQuery(projectId, container)).data?.versions
  const [type, setType] = useState(facts.type)
  const [metadata, setMetadata] = useState(Object.entries(facts.metadata))
  const [expiry, setExpiry] = useState<'as_it_is' | 'never' | Duration>('as_it_is')
  const after = expiry === 'as_it_is' ? undefined : expiry === 'never' ? null : DURATIONS[expiry]
  const save = useMutation({ mutationFn: () => changeObject(projectId, container, object, facts, { type, metadata: metadata.filter(([name]) => name !== ''), after }), onSuccess: onClose })
  const set = (index: number, entry: [string, string]): void => setMetadata(metadata.map((one, i) => (i === index ? entry : one)))
  const wrong = metadata.some(([name, value]) => (name === '' ? value !== '' : !/^[A-Za-z0-9.!#$%&'*+^`|~-]+$/.test(name)))
  return (
    <Dialog large title={object} action={readOnly ? undefined : t('dialog.save')} disabled={wrong} working={save.isPending} failed={{ title: t('objects.save_failed'), error: save.error }} onSubmit={() => save.mutate()} onClose={onClose}>
      <Preview projectId={projectId} container={container} object={object} type={facts.type} bytes={facts.bytes} etag={facts.etag} />
      <div className="deeds">
        <Button variant="secondary" icon={<DownloadIcon />} onClick={() => onDownload({ name: object, bytes: facts.bytes })}>
          {t('objects.download')}
        </Button>
        {!readOnly && (
          <Button variant="secondary" icon={<ShareAltIcon />} onClick={onShare}>
            {t('objects.share')}
          </Button>
        )}
      </div>
      <DescriptionList isHorizontal isCompact>
        <Fact term={t('objects.size')}>
          <Bytes of={facts.bytes} /> {facts.segmented && <Label isCompact>{t('objects.segmented')}</Label>}
        </Fact>
        <Fact term={t('objects.changed')}>
          <Time at={facts.modified} />
        </Fact>
        <Fact term={t('objects.etag')}>
          <span className="guest-text">{facts.etag}</span>
        </Fact>
        <Fact term={t('objects.address')}>
          <span className="guest-text">
            <Copyable text={location.origin + pathOf(projectId, container, object)} />
          </span>
        </Fact>
        <Fact term={t('objects.deleted_at')}>{facts.deleteAt === undefined ? t('objects.never') : <Time at={new Date(facts.deleteAt * 1000).toISOString()} />}</Fact>
      </DescriptionList>
      {(versions === 'on' || versions === 'suspended') && (
        <FormGroup label={t('versions.title')} role="group" fieldId="object-versions">
          <Versions projectId={projectId} container={container} object={object} readOnly={readOnly} />
        </FormGroup>
      )}
      <FormGroup label={t('objects.type')} fieldId="object-type">
        <TextInput id="object-type" value={type} onChange={(_, value) => setType(value)} spellCheck={false} autoCapitalize="off" />
      </FormGroup>
      <FormGroup label={t('objects.expiry')} fieldId="object-expiry">
        <FormSelect id="object-expiry" value={expiry} onChange={(_, value) => setExpiry(value as typeof expiry)}>
          <FormSelectOption value="as_it_is" label={t('objects.as_it_is')} />
          <FormSelectOption value="never" label={t('objects.never')} />
          {(Object.keys(DURATIONS) as Duration[]).map((one) => (
            <FormSelectOption key={one} value={one} label={t('objects.expire_after', { duration: t(`duration.${one}`) })} />
          ))}
        </FormSelect>
      </FormGroup>
      <FormGroup label={t('objects.metadata')} role="group" fieldId="object-metadata">
        <p id="metadata-help" className="quiet">
          {t('objects.metadata_help')}
        </p>
        {metadata.map(([name, value], index) => (
          <div key={index} className="metadata">
            <TextInput aria-label={t('objects.metadata_name', { n: index + 1 })} aria-describedby="metadata-help" value={name} onChange={(_, text) => set(index, [text, value])} spellCheck={false} autoCapitalize="off" />
            <TextInput aria-label={t('objects.metadata_value', { n: index + 1 })} value={value} onChange={(_, text) => set(index, [name, text])} />
            <Button variant="plain" icon={<TrashIcon />} aria-label={t('objects.remove_metadata', { name })} onClick={() => setMetadata(metadata.filter((_, i) => i !== index))} />
          </div>
        ))}
        <Button variant="secondary" onClick={() => setMetadata([...metadata, ['', '']])}>
          {t('objects.add_metadata')}
        </Button>
      </FormGroup>
    </Dialog>
  )
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{term}</DescriptionListTerm>
      <DescriptionListDescription>{children}</DescriptionListDescription>
    </DescriptionListGroup>
  )
}
