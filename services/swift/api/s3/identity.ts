/** Whose access key it is, and what they may do: Keystone's EC2 credentials. Kept for seconds, so that what Keystone revokes ends soon. */
import { createHash, createHmac } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { isFault } from '#base/fault.ts'
import { showCredential, showProject, validateS3 } from '#keystone/contract/operations.ts'
import type { HouseParts } from '#stack/house.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { assertSigned, type Signed, signingKey } from '../../core/s3/signature.ts'
import type { Who } from '../ask.ts'

export interface Holder {
  who: Who & { project_id: string }
  secret: string
}

/** `assert` judges the signature; default: that of a request. */
export type Identify = (signed: Signed) => Promise<Holder>

const KEPT = 5_000

/** Whether there is such a project. Kept for seconds, as keys are. */
export function projects({ client, serviceCaller, world }: Pick<HouseParts<unknown>, 'client' | 'serviceCaller' | 'world'>): (project: string) => Promise<boolean> {
  const known = new LRUCache<string, { there: boolean; until: number }>({ max: 10_000 })
  return async (project_id) => {
    const now = world.clock.now()
    const found = known.get(project_id)
    if (found && found.until > now) return found.there
    const there = await client.call(await serviceCaller(), 'keystone', showProject, { params: { project_id } }).then(() => true, (thrown: unknown) => {
      if (isFault(thrown, 'not_found')) return false
      throw thrown
    })
    known.set(project_id, { there, until: now + KEPT })
    return there
  }
}

export function identities({ client, serviceCaller, world }: Pick<HouseParts<unknown>, 'client' | 'serviceCaller' | 'world'>): Identify {
  const known = new LRUCache<string, { holder: Promise<Holder>; until: number }>({ max: 10_000 })
  const fetch = async (access: string): Promise<Holder> => {
    const caller = await serviceCaller()
    const unknown = (thrown: unknown): never => {
      if (isFault(thrown, 'not_found') || isFault(thrown, 'unauthenticated') || isFault(thrown, 'forbidden')) throw s3Fault('InvalidAccessKeyId', undefined, { AWSAccessKeyId: access.slice(0, 128) })
      throw thrown
    }
    const { credential } = await client.call(caller, 'keystone', showCredential, { params: { credential_id: createHash('sha256').update(access).digest('hex') } }).catch(unknown)
    const { secret } = JSON.parse(credential.blob) as { secret: string }
    // Keystone judges a signature and answers with what a token of this credential would say.
    const stamp = new Date(world.clock.now()).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
    const scope = { date: stamp.slice(0, 8), region: 'ondol', service: 's3' }
    const text = ['AWS4-HMAC-SHA256', stamp, `${scope.date}/${scope.region}/s3/aws4_request`, createHash('sha256').digest('hex')].join('\n')
    const signature = createHmac('sha256', signingKey(secret, scope)).update(text).digest('hex')
    const { token } = await client.call(caller, 'keystone', validateS3, { body: { credentials: { access, signature, token: Buffer.from(text).toString('base64') } } }).catch(unknown)
    if (token.project === undefined) throw s3Fault('AccessDenied')
    return {
      secret,
      who: {
        user_id: token.user.id, user_name: token.user.name, project_id: token.project.id, project_name: token.project.name, roles: (token.roles ?? []).map(({ name }) => name),
        byName: token.user.domain.id === 'default' && token.project.domain.id === 'default',
      },
    }
  }
  return async (signed) => {
    const now = world.clock.now()
    let found = known.get(signed.access)
    if (!found || found.until < now) {
      found = { holder: fetch(signed.access), until: now + KEPT }
      known.set(signed.access, found)
      found.holder.catch(() => known.delete(signed.access))
    }
    const holder = await found.holder
    assertSigned(signed, holder.secret, now)
    return holder
  }
}
