/** The ids under which stores keep bytes. */
import { invalid } from '#base/fault.ts'
import { isUuid } from '#base/ids.ts'

/** Ids come from requests: nothing but a UUID, or a UUID with `.staged`, may become a name in a store. */
export function checkedId(id: string): string {
  const [stem = '', suffix, ...rest] = id.split('.')
  if (!isUuid(stem) || rest.length > 0 || (suffix !== undefined && suffix !== 'staged')) throw invalid('An image id must be a UUID', { field: 'id' })
  return id
}
