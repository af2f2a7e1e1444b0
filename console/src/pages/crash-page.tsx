/** What a page shows that could not be loaded, or that failed. */
import type { ErrorComponentProps } from '@tanstack/react-router'
import { useRouter } from '@tanstack/react-router'
import { Problem } from '../ui/problem.tsx'

export function CrashPage({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  const again = (): void => {
    reset()
    void router.invalidate()
  }
  return <Problem error={error instanceof Error ? error : new Error(String(error))} retry={again} />
}
