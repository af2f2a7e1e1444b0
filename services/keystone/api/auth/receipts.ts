/**
 * Several factors: a user may have rules, lists of methods of which one list must be met whole. Who has shown some but not all gets 401
 * with a receipt, and shows the rest with it.
 */
import { decode, encode } from '@msgpack/msgpack'
import { Fault } from '#base/fault.ts'
import { wireInstant } from '../../core/instant.ts'
import { findRow } from '../../store/rows.ts'
import { getUser } from '../../store/users.ts'
import type { Keystone } from '../house.ts'
import { optionsOf } from './password.ts'

export interface Receipt {
  user_id: string
  methods: string[]
}

export async function methodsOfReceipt(house: Keystone, text: string | undefined): Promise<Receipt | undefined> {
  if (text === undefined) return undefined
  const content = await house.receiptKeys.decrypt(text)
  const now = house.world.clock.now()
  if (content) {
    const [user_id, methods, expires_at] = decode(content.data) as [string, string[], number]
    if (expires_at > now) return { user_id, methods }
  }
  throw new Fault('unauthenticated', 'The request you have made requires authentication.', { detail: 'The receipt is not valid' })
}

export async function demandAllFactors(house: Keystone, user_id: string, methods: readonly string[]): Promise<void> {
  const user = await getUser(house.db, user_id)
  if (!user) return
  const options = optionsOf(user)
  const rules = options.multi_factor_auth_rules ?? []
  if (options.multi_factor_auth_enabled === false || rules.length === 0 || methods.includes('token') || methods.includes('application_credential')) return
  if (rules.some((rule) => rule.every((method) => methods.includes(method)))) return
  const now = house.world.clock.now()
  const expires_at = now + house.config.receipt_expiration * 1000
  const receipt = await house.receiptKeys.encrypt(encode([user_id, [...methods], expires_at]), Math.floor(now / 1000))
  const domain = await findRow(house.db, 'keystone_projects', { id: user.domain_id })
  throw new Fault('unauthenticated', 'Additional authentications steps required.', {
    code: 'receipt',
    data: {
      receipt,
      body: {
        receipt: { methods, user: { id: user.id, name: user.name, domain: { id: user.domain_id, name: domain?.name ?? '' } }, issued_at: wireInstant(now), expires_at: wireInstant(expires_at) },
        required_auth_methods: rules,
      },
    },
  })
}
