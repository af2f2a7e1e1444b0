/** What takes a while over many objects: how many are done, what could not be done, and a way to stop. */
import { Alert, List, ListItem } from '@patternfly/react-core'
import { useMutation } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Failed } from '../../api/objects.ts'

/** So many are named. */
const NAMED = 10

export function useLongTask(run: (signal: AbortSignal, onProgress: (done: number) => void) => Promise<Failed[]>, onDone: () => void) {
  const stopper = useRef<AbortController>(undefined)
  const [done, setDone] = useState(0)
  const { mutate, data, isPending, error } = useMutation({
    mutationFn: () => {
      stopper.current = new AbortController()
      return run(stopper.current.signal, setDone)
    },
    onSuccess: (failed) => failed.length === 0 && onDone(),
  })
  useEffect(() => () => stopper.current?.abort(), [])
  return { start: () => mutate(), stop: () => stopper.current?.abort(), done, failed: data ?? [], running: isPending, error: stopper.current?.signal.aborted ? null : error }
}

export function NotDone({ title, failed }: { title: string; failed: readonly Failed[] }) {
  const { t } = useTranslation()
  if (failed.length === 0) return null
  return (
    <Alert component="p" variant="danger" isInline role="alert" title={title}>
      <Names names={failed.map(([name, why, exists]) => `${name}: ${exists ? t('transfers.exists') : why}`)} />
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
