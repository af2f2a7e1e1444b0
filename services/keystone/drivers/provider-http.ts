/** Questions to identity providers, whose addresses an operator has configured. No redirect is followed: they would carry secrets elsewhere. */
import { unavailable } from '#base/fault.ts'
import { remoteHandler } from '#base/http/client.ts'
import { readBody } from '#base/http/message.ts'
import type { AskProvider } from '../core/openid/provider-door.ts'

const LARGEST = 1_048_576
const PATIENCE = 15_000

export const askProvider: AskProvider = async ({ method, url, headers, form }) => {
  const { origin, pathname, search } = new URL(url)
  const door = remoteHandler(origin, { timeout: PATIENCE })
  try {
    const answer = await door({
      method,
      path: pathname,
      query: search.slice(1),
      headers: { host: new URL(url).host, accept: 'application/json', 'user-agent': 'ondol', ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}), ...headers },
      body: form?.toString(),
      origin,
      remote: 'local',
      signal: AbortSignal.timeout(PATIENCE),
    })
    const bytes = await readBody(answer.body, LARGEST)
    if (!bytes) throw unavailable('The identity provider answered too much.', { detail: url })
    return { status: answer.status, text: bytes.toString('utf8') }
  } catch (thrown) {
    throw unavailable('The identity provider did not answer.', { detail: url, cause: thrown })
  } finally {
    door.close()
  }
}
