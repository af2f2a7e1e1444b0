/** ETags in quotes, as RFC 9110 wants them, where the account or container asks for it; Swift's clients have always seen them bare. */
import { truthy } from '../core/metadata.ts'
import { accountSeen, containerSeen, type Layer, metadataOf } from './ask.ts'

const CONTAINER = 'x-container-rfc-compliant-etags'
const ACCOUNT = 'x-account-rfc-compliant-etags'

export const etags: Layer = (house, inner) => async (ask) => {
  const answer = await inner(ask)
  const { names } = ask
  const { etag } = answer.headers
  if (names.object === '' || typeof etag !== 'string' || etag.startsWith('"')) return answer
  const own = metadataOf(await containerSeen(house, ask, names))[CONTAINER]
  const wish = own ?? metadataOf(await accountSeen(house, ask, names.account))[ACCOUNT]
  if (wish === undefined ? house.config.quote_etags : truthy(wish)) answer.headers.etag = `"${etag}"`
  return answer
}
