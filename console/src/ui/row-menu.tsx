/** What may be done with one line of a list. */
import { Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core'
import { EllipsisVIcon } from '@patternfly/react-icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

export interface MenuItem {
  label: string
  danger?: boolean
  onClick: () => void
}

export function RowMenu({ name, items }: { name: string; items: readonly MenuItem[] }) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      onSelect={() => setOpen(false)}
      // A dialog that it opens gives the focus back to where it was.
      shouldFocusToggleOnSelect
      popperProps={{ position: 'right' }}
      toggle={(ref) => <MenuToggle ref={ref} variant="plain" icon={<EllipsisVIcon />} isExpanded={open} onClick={() => setOpen(!open)} aria-label={t('list.actions_of', { name })} />}
    >
      <DropdownList>
        {items.map(({ label, danger, onClick }) => (
          <DropdownItem key={label} isDanger={danger ?? false} onClick={onClick}>
            {label}
          </DropdownItem>
        ))}
      </DropdownList>
    </Dropdown>
  )
}
