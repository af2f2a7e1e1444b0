import { Checkbox, FormGroup, FormHelperText, FormSelect, FormSelectOption, HelperText, HelperTextItem, TextInput } from '@patternfly/react-core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError } from '../../api/client.ts'
import { containerFacts, makeContainer } from '../../api/containers.ts'
import { infoQuery } from '../../api/object-store.ts'
import { Dialog } from '../../ui/dialog.tsx'

export function MakeContainer({ projectId, onClose }: { projectId: string; onClose: () => void }) {
  const { t } = useTranslation()
  const { data: info } = useQuery(infoQuery)
  const [name, setName] = useState('')
  const [policy, setPolicy] = useState<string>()
  const [everyone, setEveryone] = useState(false)
  const make = useMutation({
    mutationFn: async () => {
      // Swift takes a second PUT for a change of the first.
      if (await exists(projectId, name)) throw new Error(t('containers.exists'))
      await makeContainer(projectId, name, { everyone, ...(policy ? { policy } : {}) })
    },
    onSuccess: onClose,
  })
  const most = info?.swift.max_container_name_length ?? 256
  const wrong = name.includes('/') ? 'slash' : name === '.' || name === '..' ? 'dots' : new TextEncoder().encode(name).length > most ? 'long' : undefined
  const policies = info?.swift.policies ?? []
  return (
    <Dialog
      title={t('containers.make')}
      action={t('containers.make_action')}
      disabled={name === '' || wrong !== undefined}
      working={make.isPending}
      failed={{ title: t('containers.make_failed'), error: make.error }}
      onSubmit={() => make.mutate()}
      onClose={onClose}
    >
      <FormGroup label={t('containers.name')} fieldId="container-name" isRequired>
        <TextInput id="container-name" value={name} onChange={(_, value) => setName(value)} isRequired autoFocus autoCapitalize="off" spellCheck={false} autoComplete="off" validated={wrong ? 'error' : 'default'} aria-describedby="container-name-help" />
        <FormHelperText>
          <HelperText id="container-name-help" aria-live="polite">
            <HelperTextItem variant={wrong ? 'error' : 'default'}>{t(wrong ? `containers.name_${wrong}` : 'containers.name_help')}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      </FormGroup>
      {policies.length > 1 && (
        <FormGroup label={t('containers.policy')} fieldId="container-policy">
          <FormSelect id="container-policy" value={policy ?? policies.find((one) => one.default)?.name ?? ''} onChange={(_, value) => setPolicy(value)} aria-describedby="container-policy-help">
            {policies.map((one) => (
              <FormSelectOption key={one.name} value={one.name} label={one.name} />
            ))}
          </FormSelect>
          <FormHelperText>
            <HelperText id="container-policy-help">
              <HelperTextItem>{t('containers.policy_help')}</HelperTextItem>
            </HelperText>
          </FormHelperText>
        </FormGroup>
      )}
      <Checkbox id="container-public" label={t('containers.everyone')} description={t('containers.everyone_help')} isChecked={everyone} onChange={(_, yes) => setEveryone(yes)} />
    </Dialog>
  )
}

async function exists(projectId: string, container: string): Promise<boolean> {
  try {
    await containerFacts(projectId, container, new AbortController().signal)
    return true
  } catch (thrown) {
    if (thrown instanceof ApiError && thrown.status === 404) return false
    throw thrown
  }
}
