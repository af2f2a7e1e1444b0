/** Aliases of host names, as the resolver of this machine tells them. */
import { resolveCname } from 'node:dns/promises'

/** The name that `host` is an alias of; undefined when it is none, or nobody can tell. */
export async function aliasOf(host: string): Promise<string | undefined> {
  try {
    const [name] = await resolveCname(host)
    return name?.replace(/\.$/, '').toLowerCase()
  } catch {
    return undefined
  }
}
