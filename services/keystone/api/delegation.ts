/** What a token may not do when it speaks for somebody with less than all of that somebody's rights. */
import { forbidden } from '#base/fault.ts'
import type { Rq } from '#stack/route.ts'
import { own } from './steps.ts'

/** A restricted application credential makes, changes and removes no credentials, trusts or application credentials. */
export function refuseRestricted(rq: Rq, what: string): void {
  if (own(rq).restricted) throw forbidden(`Using method 'application_credential' is not allowed for managing ${what}.`)
}

/** The delegation that the caller's token stands on, to be written into what it makes. */
export function delegationOf(rq: Rq): Record<string, string> {
  const { trust_id, application_credential_id, access_token_id } = own(rq)
  return {
    ...(trust_id === undefined ? {} : { trust_id }),
    ...(application_credential_id === undefined ? {} : { app_cred_id: application_credential_id }),
    ...(access_token_id === undefined ? {} : { access_token_id }),
  }
}
