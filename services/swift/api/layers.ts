/** The features, from the outermost to the innermost. Each sees what those before it let through, and what those behind it answer. */
import { Fault } from '#base/fault.ts'
import { checkNames } from '../core/names.ts'
import type { Swift } from '../house.ts'
import { account, assertAccountLives } from './account.ts'
import type { Layer, Serve } from './ask.ts'
import { bulk } from './bulk.ts'
import { container } from './container.ts'
import { containerSync } from './container-sync.ts'
import { copy } from './copy.ts'
import { cors } from './cors.ts'
import { dlo } from './dlo.ts'
import { etags } from './etags.ts'
import { formpost } from './formpost.ts'
import { nameCheck } from './name-check.ts'
import { object } from './object.ts'
import { quotas } from './quotas.ts'
import { ratelimit } from './ratelimit.ts'
import { slo } from './slo.ts'
import { staticweb } from './staticweb.ts'
import { symlink } from './symlink.ts'
import { tempurl } from './tempurl.ts'
import { versionedWrites } from './versioned-writes.ts'

const LAYERS: readonly Layer[] = [nameCheck, cors, etags, containerSync, bulk, tempurl, formpost, ratelimit, staticweb, copy, quotas, slo, dlo, versionedWrites, symlink]

export function layersOf(house: Swift): Serve {
  const core: Serve = async (ask) => {
    const { names, method } = ask
    checkNames(names, house.config.limits, method === 'PUT' || method === 'POST')
    if (house.config.read_only && method !== 'GET' && method !== 'HEAD') throw new Fault('method_not_allowed', 'Writes are disabled for this store.', { data: { allow: 'GET, HEAD' } })
    if (names.container === '') return account(house, ask)
    if (names.object === '') return container(house, ask)
    if (method === 'PUT') await assertAccountLives(house, ask)
    return object(house, ask)
  }
  let whole: Serve = core
  const entry: Serve = (ask) => whole(ask)
  whole = LAYERS.reduceRight<Serve>((inner, layer) => layer(house, inner, entry), core)
  return whole
}
