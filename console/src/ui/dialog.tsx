/** A question with its fields: what is done, the button that does it, and why it could not be done. */
import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core'
import { type FormEvent, type ReactNode, useId } from 'react'
import { useTranslation } from 'react-i18next'
import { Failure } from './failure.tsx'

interface Props {
  title: string
  description?: ReactNode
  children?: ReactNode
  /** What the button says; none: there is nothing to do but close. */
  action?: string | undefined
  danger?: boolean
  disabled?: boolean
  working?: boolean
  failed?: { title: string; error: Error | null }
  large?: boolean
  onSubmit?: () => void
  onClose: () => void
}

export function Dialog({ title, description, children, action, danger = false, disabled = false, working = false, failed, large = false, onSubmit, onClose }: Props) {
  const { t } = useTranslation()
  const id = useId()
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    // A dialog in a dialog is in this form for React, though not in the document.
    event.stopPropagation()
    if (!disabled && !working) onSubmit?.()
  }
  return (
    <Modal isOpen variant={large ? 'medium' : 'small'} aria-labelledby={`${id}title`} onEscapePress={onClose}>
      <ModalHeader labelId={`${id}title`} title={<span className="guest-text">{title}</span>} {...(description ? { description: <span className="guest-text">{description}</span> } : {})} {...(danger ? { titleIconVariant: 'warning' } : {})} />
      <ModalBody>
        <Form id={`${id}form`} onSubmit={submit}>
          {failed?.error && <Failure title={failed.title} error={failed.error} />}
          {children}
        </Form>
      </ModalBody>
      <ModalFooter>
        {action !== undefined && (
          <Button type="submit" form={`${id}form`} variant={danger ? 'danger' : 'primary'} isDisabled={disabled || working} isLoading={working}>
            {action}
          </Button>
        )}
        <Button variant="link" onClick={onClose}>
          {t(action === undefined ? 'dialog.close' : 'dialog.cancel')}
        </Button>
      </ModalFooter>
    </Modal>
  )
}
