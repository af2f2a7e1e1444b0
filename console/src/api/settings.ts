/** What the cloud tells its dashboard before anyone has logged in. */
import { queryOptions } from '@tanstack/react-query'
import { BASE } from '../paths.ts'
import { send } from './client.ts'

export interface SignOnProvider {
  idp_id: string
  protocol_id: string
  name: string
}

export interface Settings {
  sign_on: SignOnProvider[]
  /** Where a login by a provider ends. */
  public_url: string
  s3_region: string
}

export const settingsQuery = queryOptions({
  queryKey: ['settings'],
  queryFn: async ({ signal }): Promise<Settings> => (await send('GET', `${BASE}/settings.json`, { signal })).json() as Promise<Settings>,
  staleTime: 60_000,
})
