/** A new server of an image, a flavor and a network. */
import { FormGroup, FormHelperText, FormSelect, FormSelectOption, HelperText, HelperTextItem, Skeleton, TextInput } from '@patternfly/react-core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { makeServer, partsQuery, type ServerParts } from '../../api/server-parts.ts'
import { Dialog } from '../../ui/dialog.tsx'

interface Props {
  projectId: string
  onClose: () => void
}

export function MakeServer(props: Props) {
  const { t } = useTranslation()
  const { data, error } = useQuery(partsQuery(props.projectId))
  if (data) return <Filled {...props} parts={data} />
  return (
    <Dialog title={t('servers.make')} failed={{ title: t('problem.failed'), error }} onClose={props.onClose}>
      {!error && <Skeleton screenreaderText={t('list.loading')} />}
    </Dialog>
  )
}

function Filled({ projectId, onClose, parts: { images, flavors, networks, keys } }: Props & { parts: ServerParts }) {
  const { t } = useTranslation()
  const [name, setName] = useState('')
  const [imageRef, setImage] = useState(images[0]?.id ?? '')
  const image = images.find(({ id }) => id === imageRef)
  const fitting = flavors.filter(({ ram, disk }) => ram >= (image?.min_ram ?? 0) && (disk === 0 || disk >= (image?.min_disk ?? 0)))
  const [chosen, setFlavor] = useState<string>()
  const flavorRef = fitting.find(({ id }) => id === chosen)?.id ?? fitting[0]?.id ?? ''
  const [network, setNetwork] = useState(networks.length === 1 ? networks[0]!.id : 'auto')
  const [key, setKey] = useState('')
  const make = useMutation({
    mutationFn: () => makeServer(projectId, { name, imageRef, flavorRef, networks: network === 'auto' || network === 'none' ? network : [{ uuid: network }], ...(key ? { key_name: key } : {}) }),
    onSuccess: onClose,
  })
  const lacking = images.length === 0 ? 'image' : fitting.length === 0 ? 'flavor' : undefined
  return (
    <Dialog
      title={t('servers.make')}
      action={t('servers.make_action')}
      disabled={name.trim() === '' || lacking !== undefined}
      working={make.isPending}
      failed={{ title: t('servers.make_failed'), error: make.error }}
      onSubmit={() => make.mutate()}
      onClose={onClose}
    >
      <FormGroup label={t('servers.name')} fieldId="server-name" isRequired>
        <TextInput id="server-name" value={name} onChange={(_, value) => setName(value)} maxLength={255} isRequired autoFocus autoComplete="off" autoCapitalize="off" spellCheck={false} />
      </FormGroup>
      <Choice id="server-image" label={t('servers.image')} value={imageRef} onChange={setImage} options={images.map(({ id, name: called }) => [id, called ?? id])} help={lacking === 'image' ? t('servers.no_image') : undefined} />
      <Choice
        id="server-flavor"
        label={t('servers.flavor')}
        value={flavorRef}
        onChange={setFlavor}
        options={fitting.map(({ id, name: called, vcpus, ram, disk }) => [id, `${called} (${t('servers.size', { vcpus, ram, disk })})`])}
        help={lacking === 'flavor' ? t('servers.no_flavor') : undefined}
      />
      <Choice id="server-network" label={t('servers.network')} value={network} onChange={setNetwork} options={[...networks.map(({ id, name: called }): [string, string] => [id, called || id]), ['auto', t('servers.network_auto')], ['none', t('servers.network_none')]]} />
      <Choice id="server-key" label={t('servers.key')} value={key} onChange={setKey} options={[['', t('servers.no_key')], ...keys.map((one): [string, string] => [one, one])]} help={t('servers.key_help')} />
    </Dialog>
  )
}

interface ChoiceProps {
  id: string
  label: string
  value: string
  onChange: (value: string) => void
  options: readonly (readonly [value: string, label: string])[]
  help?: string | undefined
}

function Choice({ id, label, value, onChange, options, help }: ChoiceProps) {
  return (
    <FormGroup label={label} fieldId={id}>
      <FormSelect id={id} value={value} isDisabled={options.length === 0} onChange={(_, chosen) => onChange(chosen)} {...(help ? { 'aria-describedby': `${id}-help` } : {})}>
        {options.map(([one, text]) => (
          <FormSelectOption key={one} value={one} label={text} />
        ))}
      </FormSelect>
      {help && (
        <FormHelperText>
          <HelperText id={`${id}-help`}>
            <HelperTextItem>{help}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      )}
    </FormGroup>
  )
}
