/**
 * Moves containers to another storage policy while they are read and written. The container has its new policy first, so that what comes from then on lies
 * there already; then every object that lies elsewhere is copied, and its row changed if it still is what was copied. What is under way is known by the
 * rows alone: who is stopped, or killed, begins again and goes on where it was. The old bytes stay for an hour, for who reads them.
 */
import { createHash } from 'node:crypto'
import { Fault, invalid, notFound } from '#base/fault.ts'
import { poolOf, policyNamed } from '../core/policies.ts'
import type { Swift } from '../house.ts'
import { bytesIn, type Carrier, containersAfter, exchange, type Exchange, objectCarriers, partCarriers, setPolicy, versionCarriers, type Which } from '../store/moves.ts'
import { forgetBytes, reserveBytes } from '../store/bytes.ts'
import type { ContainerRow } from '../store/tables.ts'

export type Mover = Pick<Swift, 'db' | 'bytes' | 'policies' | 'world'>

export interface Moved {
  containers: number
  objects: number
  bytes: number
  /** Objects whose bytes could not be read or written; they stay where they were. */
  failed: { container: string; object: string; reason: string }[]
}

export interface MoveOptions {
  signal?: AbortSignal | undefined
  /** Told after every step. */
  report?: ((moved: Moved) => void) | undefined
}

const LINGER = 3_600_000
/** Of a step that takes longer, what was copied is kept from the reconciler by rows of its own: the rest of an object of very many parts may take days. */
const SOON = 3_600_000
const RESERVED = 30 * 86_400_000
const AT_ONCE = 8
const PAGE = 64
/** Rows are changed when so many bytes have been copied. */
const STEP = 64 << 20

export async function moveBytes(house: Mover, to: string, which: Which, options: MoveOptions = {}): Promise<Moved> {
  const policy = policyNamed(house.policies, to)
  if (!policy) throw invalid(`There is no storage policy ${to}: ${house.policies.map((one) => one.name).join(', ')}`, { field: 'to' })
  const moved: Moved = { containers: 0, objects: 0, bytes: 0, failed: [] }
  for (let after = ''; ; ) {
    const containers = await containersAfter(house.db, which, after, 100)
    for (const container of containers) {
      if (options.signal?.aborted) return moved
      await setPolicy(house.db, container.id, policy.name)
      await moveContainer(house, container, policy.pool, moved, options)
      moved.containers++
    }
    if (containers.length < 100) break
    after = containers.at(-1)!.id
  }
  if (moved.containers === 0 && which.container !== undefined) throw notFound(`There is no container ${which.account}/${which.container}`)
  return moved
}

async function moveContainer(house: Mover, container: ContainerRow, pool: string, moved: Moved, options: MoveOptions): Promise<void> {
  const work = (page: readonly Carrier[]): Promise<void> => movePage(house, container, page, pool, moved, options)
  // Parts first: an upload that ends meanwhile makes an object of them, and objects come after.
  await work(await partCarriers(house.db, container.id))
  for (let after = ''; !options.signal?.aborted; ) {
    const page = await objectCarriers(house.db, container.id, after, PAGE)
    await work(page)
    if (page.length < PAGE) break
    after = page.at(-1)!.name
  }
  for (let after = { name: '', rank: '' }; !options.signal?.aborted; ) {
    const page = await versionCarriers(house.db, container.id, after, PAGE)
    await work(page)
    if (page.length < PAGE) break
    after = page.at(-1)!
  }
}

/** Takes the bytes of these rows to this place, where they are not there already. */
export async function movePage(house: Mover, container: ContainerRow, page: readonly Carrier[], pool: string, moved: Moved, { signal, report }: MoveOptions): Promise<void> {
  const elsewhere = page.filter((one) => bytesIn(one).some((id) => poolOf(id) !== pool))
  for (let i = 0; i < elsewhere.length && !signal?.aborted; ) {
    const step: Carrier[] = []
    for (let size = 0; i < elsewhere.length && size < STEP; i++) size += step.push(elsewhere[i]!) && elsewhere[i]!.size
    const changes: Exchange[] = []
    const copies = copiesOf(house)
    let next = 0
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let carrier = step[next++]; carrier; carrier = step[next++]) {
          try {
            changes.push(await copied(house, carrier, pool, copies))
          } catch (thrown) {
            if (!(thrown instanceof Fault) || thrown.kind === 'insufficient_storage') throw thrown
            moved.failed.push({ container: `${container.account}/${container.name}`, object: carrier.name, reason: typeof thrown.detail === 'string' ? thrown.detail : thrown.message })
          }
        }
      }),
    ).finally(() => copies.over())
    const late = await exchange(house.db, container.id, changes, house.world.clock.now() + LINGER)
    // Replaced or deleted while it was copied: nobody wants the copy.
    for (const change of late) await discarded(house, newIn(change))
    moved.objects += changes.length - late.length
    for (const change of changes) if (!late.includes(change)) moved.bytes += change.carrier.size
    report?.(moved)
  }
}

const newIn = (change: Exchange): string[] => bytesIn(change).filter((id) => !bytesIn(change.carrier).includes(id))

interface Copies { made(id: string): Promise<void>; over(): Promise<void> }

/** What a step has copied, and who waits for its row. */
function copiesOf({ db, world: { clock } }: Mover): Copies {
  const fresh: string[] = []
  let late = false
  let reserving: Promise<unknown> = Promise.resolve()
  const reserve = (): Promise<unknown> => (reserving = reserving.then(() => reserveBytes(db, fresh.splice(0), clock.now() + RESERVED)))
  const cancel = clock.after(SOON, () => {
    late = true
    // Whoever ends the step hears of its failure.
    reserve().catch(() => {})
  })
  return {
    async made(id) {
      fresh.push(id)
      if (late) await reserve()
    },
    async over() {
      cancel()
      await reserving
    },
  }
}

async function discarded(house: Mover, ids: readonly string[]): Promise<void> {
  await house.bytes.remove(ids)
  await forgetBytes(house.db, ids)
}

async function copied(house: Mover, carrier: Carrier, pool: string, copies: Copies): Promise<Exchange> {
  if (carrier.parts === null) return { carrier, bytes_id: await copy(house, carrier.bytes_id, carrier.size, carrier.md5, pool, copies), parts: null }
  const parts = JSON.parse(carrier.parts) as { bytes_id: string; size: number }[]
  const made: string[] = []
  try {
    for (const part of parts) {
      if (part.bytes_id === '' || poolOf(part.bytes_id) === pool) continue
      part.bytes_id = await copy(house, part.bytes_id, part.size, undefined, pool, copies)
      made.push(part.bytes_id)
    }
  } catch (thrown) {
    await discarded(house, made).catch(() => {})
    throw thrown
  }
  return { carrier, bytes_id: carrier.bytes_id, parts: JSON.stringify(parts) }
}

async function copy(house: Mover, from: string, size: number, md5: string | undefined, pool: string, copies: Copies): Promise<string> {
  const hash = createHash('md5')
  let seen = 0
  async function* judged(): AsyncGenerator<Uint8Array> {
    if (size > 0) {
      for await (const chunk of await house.bytes.read(from, 0, size - 1)) {
        seen += (chunk as Buffer).length
        hash.update(chunk as Buffer)
        yield chunk as Buffer
      }
    }
    if (seen !== size) throw new Fault('unavailable', 'The bytes of this object are damaged.', { detail: `${seen} bytes instead of ${size}` })
    if (md5 !== undefined && hash.digest('hex') !== md5) throw new Fault('unavailable', 'The bytes of this object are damaged.', { detail: 'its MD5 is another' })
  }
  const id = await house.bytes.write(pool, judged(), size)
  await copies.made(id)
  return id
}
