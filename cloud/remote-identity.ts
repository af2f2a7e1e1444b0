/** Under which names agents on other machines call the control plane's doors: with a password, for a token of Keystone, kept until shortly before its end. */
import type { Clock } from '#base/clock.ts'
import { unavailable } from '#base/fault.ts'
import { type HttpHandler, headerText, readBody } from '#base/http/message.ts'
import { Secret } from '#base/secret.ts'
import type { Caller } from '#stack/client.ts'

export interface RemoteIdentity {
  serviceCaller(house: string): Promise<Caller>
  /** A door did not take a token: all of them are asked for anew. */
  forget(): void
}

const RENEW_BEFORE = 120_000
const MAX_ANSWER = 2 ** 20

export function remoteIdentity(keystone: HttpHandler, password: Secret, clock: Clock): RemoteIdentity {
  const callers = new Map<string, { caller: Caller; expires_at: number }>()
  const asking = new Map<string, Promise<Caller>>()

  const logIn = async (user: string): Promise<Caller> => {
    const domain = { id: 'default' }
    const auth = { identity: { methods: ['password'], password: { user: { name: user, domain, password: password.reveal() } } }, scope: { project: { name: 'service', domain } } }
    const answer = await keystone({ method: 'POST', path: '/v3/auth/tokens', query: '', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ auth }), origin: '', remote: '' })
    const text = (typeof answer.body === 'string' ? answer.body : (await readBody(answer.body, MAX_ANSWER))?.toString()) ?? ''
    const token = headerText(answer.headers['x-subject-token'])
    if (answer.status !== 201 || token === undefined) {
      const why = answer.status === 401 ? `Keystone refuses the user ${user}: is service.password the same here and at the control plane?` : `Keystone answered ${answer.status}`
      throw unavailable(why, { code: 'identity.refused' })
    }
    const { expires_at } = (JSON.parse(text) as { token: { expires_at: string } }).token
    const caller: Caller = { token: new Secret(token) }
    callers.set(user, { caller, expires_at: Date.parse(expires_at) })
    return caller
  }

  return {
    async serviceCaller(house) {
      const known = callers.get(house)
      if (known && known.expires_at - RENEW_BEFORE > clock.now()) return known.caller
      let waiting = asking.get(house)
      if (!waiting) {
        waiting = logIn(house).finally(() => asking.delete(house))
        asking.set(house, waiting)
      }
      return waiting
    },
    forget: () => callers.clear(),
  }
}
