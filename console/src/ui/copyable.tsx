/** Text with a button that copies it. */
import { ClipboardCopy } from '@patternfly/react-core'
import { useTranslation } from 'react-i18next'

export function Copyable({ text, field }: { text: string; /** Shown in a field of this label. */ field?: string }) {
  const { t } = useTranslation()
  const words = { hoverTip: t('copy.copy'), clickTip: t('copy.copied'), onCopy: () => void copyText(text) }
  return field === undefined ? (
    <ClipboardCopy variant="inline-compact" isCode {...words}>
      {text}
    </ClipboardCopy>
  ) : (
    <ClipboardCopy isReadOnly textAriaLabel={field} {...words}>
      {text}
    </ClipboardCopy>
  )
}

/** Pages that came over plain HTTP have no clipboard of their own; there the old way is left. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const give = (event: ClipboardEvent): void => {
    event.clipboardData?.setData('text/plain', text)
    event.preventDefault()
  }
  document.addEventListener('copy', give, { once: true })
  document.execCommand('copy')
  document.removeEventListener('copy', give)
}
