/** Who besides the members of the project may read and write: everyone, or single projects and users. */
import { Alert, Button, Checkbox, FormGroup, TextInput } from '@patternfly/react-core'
import { TrashIcon } from '@patternfly/react-icons'
import { useTranslation } from 'react-i18next'
import { type Access, type Grant, isPart } from '../../api/acl.ts'
import { Copyable } from '../../ui/copyable.tsx'

export function AclEditor({ access, address, onChange }: { access: Access; address: string; onChange: (access: Access) => void }) {
  const { t } = useTranslation()
  const { everyone, listings, grants, others } = access
  const setGrants = (next: Grant[]): void => onChange({ ...access, grants: next })
  const set = (index: number, change: Partial<Grant>): void => setGrants(grants.map((one, i) => (i === index ? { ...one, ...change } : one)))
  const hidden = [...others.read, ...others.write]
  return (
    <>
      <Checkbox id="access-everyone" label={t('containers.everyone_read')} description={t('containers.everyone_help')} isChecked={everyone} onChange={(_, yes) => onChange({ ...access, everyone: yes, listings: yes })} />
      {everyone && (
        <>
          <Checkbox id="access-listings" label={t('containers.listings')} description={t('containers.listings_help')} isChecked={listings} onChange={(_, yes) => onChange({ ...access, listings: yes })} />
          <Alert component="p" variant="warning" isInline title={t('containers.public_warning')}>
            <Copyable text={address} field={t('containers.public_address')} />
          </Alert>
        </>
      )}
      <FormGroup label={t('containers.grants')} role="group" fieldId="access-grants">
        <p id="grants-help" className="quiet">
          {t('containers.grants_help')}
        </p>
        {grants.map((grant, index) => (
          <div key={index} className="grant">
            {(['project', 'user'] as const).map((part) => (
              <TextInput
                key={part}
                aria-label={t(`containers.grant_${part}`, { n: index + 1 })}
                placeholder={t(`containers.${part}_id`)}
                aria-describedby="grants-help"
                value={grant[part]}
                validated={grant[part] === '' || isPart(grant[part]) ? 'default' : 'error'}
                onChange={(_, text) => set(index, { [part]: text })}
                spellCheck={false}
                autoCapitalize="off"
                autoComplete="off"
              />
            ))}
            {(['read', 'write'] as const).map((right) => (
              <Checkbox key={right} id={`grant-${right}-${index}`} label={t(`containers.may_${right}`)} isChecked={grant[right]} onChange={(_, yes) => set(index, { [right]: yes })} />
            ))}
            <Button variant="plain" icon={<TrashIcon />} aria-label={t('containers.remove_grant', { n: index + 1 })} onClick={() => setGrants(grants.filter((_, i) => i !== index))} />
          </div>
        ))}
        <Button variant="secondary" onClick={() => setGrants([...grants, { project: '', user: '*', read: true, write: false }])}>
          {t('containers.add_grant')}
        </Button>
      </FormGroup>
      {hidden.length > 0 && (
        <p className="quiet guest-text">
          {t('containers.other_words')} {hidden.join(', ')}
        </p>
      )}
    </>
  )
}
