/** Lines to be copied as they are. */
import { Button, CodeBlock, CodeBlockAction, CodeBlockCode } from '@patternfly/react-core'
import { CheckIcon, CopyIcon } from '@patternfly/react-icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { copyText } from './copyable.tsx'

export function Snippet({ label, text }: { label: string; text: string }) {
  const { t } = useTranslation()
  const [copied, setCopied] = useState(false)
  const copy = (
    <CodeBlockAction>
      <Button variant="plain" icon={copied ? <CheckIcon /> : <CopyIcon />} aria-label={`${t('copy.copy')}: ${label}`} onClick={() => void copyText(text).then(() => setCopied(true))} />
      <span role="status" className="pf-v6-screen-reader">
        {copied ? t('copy.copied') : ''}
      </span>
    </CodeBlockAction>
  )
  return (
    <CodeBlock className="snippet" role="region" tabIndex={0} aria-label={label} actions={copy}>
      <CodeBlockCode>{text}</CodeBlockCode>
    </CodeBlock>
  )
}
