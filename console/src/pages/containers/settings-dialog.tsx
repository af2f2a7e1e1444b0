/** How much a container may hold, and whether it keeps what is replaced or deleted. */
import { FormGroup, FormHelperText, FormSelect, FormSelectOption, HelperText, HelperTextItem, InputGroup, InputGroupItem, Switch, TextInput } from '@patternfly/react-core'
import { useMutation } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { changeContainer, type ContainerFacts } from '../../api/containers.ts'
import { Bytes } from '../../ui/bytes.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { WithFacts } from './with-facts.tsx'

const UNITS = { MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const
type Unit = keyof typeof UNITS

interface Props {
  projectId: string
  container: string
  onClose: () => void
}

export function SettingsDialog(props: Props) {
  const { t } = useTranslation()
  return (
    <WithFacts {...props} title={t('containers.settings_of', { name: props.container })}>
      {(facts) => <Filled {...props} facts={facts} />}
    </WithFacts>
  )
}

function Filled({ projectId, container, onClose, facts }: Props & { facts: ContainerFacts }) {
  const { t, i18n } = useTranslation()
  const first = sizeIn(facts.quota.bytes)
  const [size, setSize] = useState(first.text)
  const [unit, setUnit] = useState<Unit>(first.unit)
  const [count, setCount] = useState(facts.quota.count === undefined ? '' : String(facts.quota.count))
  const [versions, setVersions] = useState(facts.versions === 'on')
  const bytes = size === first.text && unit === first.unit ? facts.quota.bytes : size === '' ? undefined : Math.round(Number(size) * UNITS[unit])
  const save = useMutation({
    mutationFn: () => changeContainer(projectId, container, { quota: { bytes, count: count === '' ? undefined : Number(count) }, versions: versions === (facts.versions === 'on') ? undefined : versions }),
    onSuccess: onClose,
  })
  const wrong = { size: size !== '' && !(Number(size) >= 0 && Number.isFinite(Number(size))), count: count !== '' && !/^\d{1,15}$/.test(count) }
  const number = new Intl.NumberFormat(i18n.language)
  return (
    <Dialog title={t('containers.settings_of', { name: container })} action={t('dialog.save')} disabled={wrong.size || wrong.count} working={save.isPending} failed={{ title: t('containers.settings_failed'), error: save.error }} onSubmit={() => save.mutate()} onClose={onClose}>
      <Field id="quota-size" label={t('containers.quota_size')} wrong={wrong.size} help={<>{t('containers.quota_help')} {t('containers.now')} <Bytes of={facts.bytes} />.</>}>
        <InputGroup>
          <InputGroupItem isFill>
            <TextInput id="quota-size" value={size} inputMode="decimal" placeholder={t('containers.no_quota')} validated={wrong.size ? 'error' : 'default'} onChange={(_, text) => setSize(text.trim())} autoComplete="off" aria-describedby="quota-size-help" />
          </InputGroupItem>
          <InputGroupItem>
            <FormSelect aria-label={t('containers.unit')} value={unit} onChange={(_, value) => setUnit(value as Unit)}>
              {Object.keys(UNITS).map((one) => (
                <FormSelectOption key={one} value={one} label={one} />
              ))}
            </FormSelect>
          </InputGroupItem>
        </InputGroup>
      </Field>
      <Field id="quota-count" label={t('containers.quota_count')} wrong={wrong.count} help={`${t('containers.quota_help')} ${t('containers.now')} ${number.format(facts.count)}.`}>
        <TextInput id="quota-count" value={count} inputMode="numeric" placeholder={t('containers.no_quota')} validated={wrong.count ? 'error' : 'default'} onChange={(_, text) => setCount(text.trim())} autoComplete="off" aria-describedby="quota-count-help" />
      </Field>
      <FormGroup fieldId="container-versions">
        <Switch id="container-versions" label={t('containers.versions')} isChecked={versions} isDisabled={facts.versions === 'elsewhere'} onChange={(_, yes) => setVersions(yes)} />
        <FormHelperText>
          <HelperText>
            <HelperTextItem>{t(facts.versions === 'elsewhere' ? 'containers.versions_elsewhere' : 'containers.versions_help')}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      </FormGroup>
    </Dialog>
  )
}

function Field({ id, label, wrong, help, children }: { id: string; label: string; wrong: boolean; help: ReactNode; children: ReactNode }) {
  const { t } = useTranslation()
  return (
    <FormGroup label={label} fieldId={id}>
      {children}
      <FormHelperText>
        <HelperText id={`${id}-help`} aria-live="polite">
          <HelperTextItem variant={wrong ? 'error' : 'default'}>{wrong ? t('containers.quota_wrong') : help}</HelperTextItem>
        </HelperText>
      </FormHelperText>
    </FormGroup>
  )
}

/** In the largest unit in which it is a short number. */
function sizeIn(bytes: number | undefined): { text: string; unit: Unit } {
  if (bytes === undefined) return { text: '', unit: 'GiB' }
  const unit = bytes >= UNITS.TiB ? 'TiB' : bytes >= UNITS.GiB ? 'GiB' : 'MiB'
  return { text: String(Number((bytes / UNITS[unit]).toFixed(3))), unit }
}
