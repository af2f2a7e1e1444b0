/** What names may hold beyond what Swift itself asks of them, when the operator says so. The whole path is judged, as Swift's filter does. */
import { Fault } from '#base/fault.ts'
import type { Layer } from './ask.ts'

export const nameCheck: Layer = (house, inner) => {
  const { enabled, forbidden_chars, maximum_length, forbidden_regexp } = house.config.name_check
  if (!enabled) return inner
  const forbidden = forbidden_regexp === '' ? undefined : new RegExp(forbidden_regexp, 'u')
  return (ask) => {
    const { account, container, object } = ask.names
    const path = `/v1/${[account, container, object].slice(0, object !== '' ? 3 : container !== '' ? 2 : 1).join('/')}`
    if ([...forbidden_chars].some((char) => path.includes(char))) throw refused(`contains forbidden chars from ${forbidden_chars}`)
    if ([...path].length > maximum_length) throw refused(`longer than the allowed maximum ${maximum_length}`)
    if (forbidden?.test(path)) throw refused(`contains a forbidden substring from regular expression ${forbidden_regexp}`)
    return inner(ask)
  }
}

const refused = (why: string): Fault => new Fault('invalid', `Object/Container/Account name ${why}`, { field: 'path' })
