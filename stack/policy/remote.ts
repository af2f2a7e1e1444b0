/** `http:` and `https:` checks over an injected `fetch`: the judge gets the question as a form, as from `oslo.policy`, and answers `True`. */
import type { RemoteJudge } from './interface.ts'

export type Fetch = (url: string, init: { method: string; headers: Record<string, string>; body: string; redirect: 'error'; signal: AbortSignal }) => Promise<{
  ok: boolean
  text(): Promise<string>
}>

/** `timeout` in milliseconds. Redirects are not followed: the question holds the credentials. */
export function remoteJudge(fetch: Fetch, timeout = 5_000): RemoteJudge {
  return async (url, { rule, target, credentials }) => {
    const form = new URLSearchParams({
      rule: JSON.stringify(rule),
      target: JSON.stringify(target),
      credentials: JSON.stringify(credentials),
    })
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      redirect: 'error',
      signal: AbortSignal.timeout(timeout),
    })
    return answer.ok && (await answer.text()).trim().replace(/^"|"$/g, '') === 'True'
  }
}
