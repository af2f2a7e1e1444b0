/** Deleting that takes a while: how many have gone, what could not, and a way to stop. */
import { Alert, List, ListItem } from '@patternfly/react-core'
import { useMutation } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Failed } from '../../api/objects.ts'

/** So many are named. */
const NAMED = 10

export function useRemoval(remove: (signal: AbortSignal, onProgress: (removed: number) => void) => Promise<Failed[]>, onDone: () => void) {
  const stopper = useRef<AbortController>(undefined)
  const [removed, setRemoved] = useState(0)
  const { mutate, data, isPending, error } = useMutation({
    mutationFn: () => {
      stopper.current = new AbortController()
      return remove(stopper.current.signal, setRemoved)
    },
    onSuccess: (failed) => failed.length === 0 && onDone(),
  })
  useEffect(() => () => stopper.current?.abort(), [])
  return { start: () => mutate(), stop: () => stopper.current?.abort(), removed, failed: data ?? [], running: isPending, error: stopper.current?.signal.aborted ? null : error }
}

export function NotRemoved({ failed }: { failed: readonly Failed[] }) {
  const { t } = useTranslation()
  if (failed.length === 0) return null
  return (
    <Alert variant="danger" isInline role="alert" title={t('objects.not_removed', { n: failed.length })}>
      <Names names={failed.map(([name, why]) => `${name}: ${why}`)} />
    </Alert>
  )
}

export function Names({ names }: { names: readonly string[] }) {
  const { t } = useTranslation()
  return (
    <List isPlain>
      {names.slice(0, NAMED).map((name) => (
        <ListItem key={name} className="guest-text">
          {name}
        </ListItem>
      ))}
      {names.length > NAMED && <ListItem>{t('list.more', { n: names.length - NAMED })}</ListItem>}
    </List>
  )
}
