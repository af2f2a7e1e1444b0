/** Who is logged in, and the way out. */
import { Dropdown, DropdownGroup, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core'
import { UserIcon } from '@patternfly/react-icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { session, useSession } from '../session.ts'

export function AccountMenu() {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const user = useSession()?.user
  if (!user) return null
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      popperProps={{ position: 'right' }}
      toggle={(ref) => (
        <MenuToggle ref={ref} className="account" variant="plainText" icon={<UserIcon />} isExpanded={open} onClick={() => setOpen(!open)} aria-label={t('shell.account', { name: user.name })}>
          {user.name}
        </MenuToggle>
      )}
    >
      <DropdownGroup label={t('shell.domain', { name: user.domain.name })}>
        <DropdownList>
          <DropdownItem onClick={() => session.logout()}>{t('shell.logout')}</DropdownItem>
        </DropdownList>
      </DropdownGroup>
    </Dropdown>
  )
}
