/** A small house whose rows change at random, with a model of what was acknowledged. Its tables have what is hard to move: unique keys that wander, keys that change, bytes. */
import { createHash } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Database, Sql } from '../../database.ts'
import { prepared } from '../../prepared.ts'
import { big, bytes, type HouseMigrations, id, int, json, name, nullable, string, withDefault } from '../../table.ts'

export interface ShopTables {
  shop_goods: { box: string; name: string; label: string | null; number: number; body: string | null; raw: Uint8Array }
  shop_boxes: { id: string; goods: number }
  shop_steps: { number: number; at: number }
}

export const shop: HouseMigrations = {
  house: 'shop',
  migrations: [{ name: '0001', up: async (m) => {
    await m.createTable('shop_goods', { box: id(), name: name(512), label: nullable(string(64)), number: big(), body: nullable(json()), raw: bytes() }, { primary: ['box', 'name'], unique: [['label']], index: [['number']] })
    await m.createTable('shop_boxes', { id: id(), goods: withDefault(int(), 0) }, { primary: ['id'] })
    await m.createTable('shop_steps', { number: int(), at: big() }, { primary: ['number'] })
    await m.query.insertInto('shop_steps').values({ number: 1, at: 0 }).execute()
  } }],
}

export type Good = Omit<ShopTables['shop_goods'], 'raw'> & { raw: string }

const findGood = prepared((query: Kysely<ShopTables>, box: string, called: string) => query.selectFrom('shop_goods').selectAll().where('box', '=', box).where('name', '=', called))
const setNumber = prepared((query: Kysely<ShopTables>, number: number, box: string, called: string) => query.updateTable('shop_goods').set({ number }).where('box', '=', box).where('name', '=', called))

export async function goodsOf(db: Sql<ShopTables>, box?: string): Promise<Good[]> {
  const rows = await db.query.selectFrom('shop_goods').selectAll().$if(box !== undefined, (query) => query.where('box', '=', box!)).orderBy('box').orderBy('name').execute()
  return rows.map((row) => ({ ...row, number: Number(row.number), raw: Buffer.from(row.raw).toString('hex') }))
}

/** Of the box `box` alone; what it says before and after each step is a line of its own. `random` gives whole numbers below `n`. */
export class Keeper {
  readonly model = new Map<string, Good>()
  #db: Database<ShopTables>
  readonly #box: string
  readonly #random: (n: number) => number
  #serial = 0

  constructor(db: Database, box: string, random: (n: number) => number) {
    this.#db = db.as<ShopTables>()
    this.#box = box
    this.#random = random
  }

  /** A process has begun anew. */
  movedTo(db: Database): void {
    this.#db = db.as<ShopTables>()
  }

  async begin(): Promise<void> {
    await this.#db.query.insertInto('shop_boxes').values({ id: this.#box, goods: 0 }).execute()
  }

  #made(called: string, label: string | null): { row: ShopTables['shop_goods']; good: Good } {
    const number = this.#random(2 ** 31) * 2 ** 20
    const raw = createHash('sha256').update(`${called} ${number}`).digest()
    const row = { box: this.#box, name: called, label, number, body: this.#random(3) === 0 ? null : JSON.stringify({ 'ü': called, n: number, long: 'x'.repeat(this.#random(300)) }), raw }
    return { row, good: { ...row, raw: raw.toString('hex') } }
  }

  /** One change; when it returns it is acknowledged, and stands in the model. Returns what it looked up beside the model. */
  async step(): Promise<void> {
    const db = this.#db
    const names = [...this.model.keys()]
    const some = (): string => names[this.#random(names.length)]!
    const kind = names.length < 5 ? 0 : this.#random(7)
    if (kind <= 1) {
      const called = `é ${this.#box} ${this.#serial++} \u{1f600}`
      const { row, good } = this.#made(called, this.#random(2) ? `${this.#box}/${this.#serial}` : null)
      await db.transaction(async (tx) => {
        await tx.query.insertInto('shop_goods').values(row).execute()
        await tx.query.updateTable('shop_boxes').set((eb) => ({ goods: eb('goods', '+', 1) })).where('id', '=', this.#box).execute()
      })
      this.model.set(called, good)
    } else if (kind === 2) {
      const called = some()
      await db.transaction(async (tx) => {
        await tx.query.deleteFrom('shop_goods').where('box', '=', this.#box).where('name', '=', called).execute()
        await tx.query.updateTable('shop_boxes').set((eb) => ({ goods: eb('goods', '-', 1) })).where('id', '=', this.#box).execute()
      })
      this.model.delete(called)
    } else if (kind === 3) {
      // A label goes from one to another.
      const [from, to] = [some(), some()]
      const label = this.model.get(from)!.label
      if (from === to || label === null) return
      await db.transaction(async (tx) => {
        await tx.query.updateTable('shop_goods').set({ label: null }).where('box', '=', this.#box).where('name', '=', from).execute()
        await tx.query.updateTable('shop_goods').set({ label }).where('box', '=', this.#box).where('name', '=', to).execute()
      })
      this.model.get(from)!.label = null
      this.model.get(to)!.label = label
    } else if (kind === 4) {
      // It gets another key, outside of a transaction.
      const from = some()
      const to = `${from}'`
      if (to.length > 100 || this.model.has(to)) return
      await db.query.updateTable('shop_goods').set({ name: to }).where('box', '=', this.#box).where('name', '=', from).execute()
      const good = this.model.get(from)!
      this.model.delete(from)
      this.model.set(to, { ...good, name: to })
    } else if (kind === 5) {
      const called = some()
      const number = this.#random(1000)
      await setNumber(db, number, this.#box, called)
      this.model.get(called)!.number = number
    } else {
      const called = some()
      const [found] = await findGood(db, this.#box, called)
      const good = this.model.get(called)!
      if (!found || Number(found.number) !== good.number || found.label !== good.label) throw new Error(`${called} is ${JSON.stringify(found)} and not ${JSON.stringify(good)}`)
    }
  }

  /** What the database says, beside the model. */
  async both(db: Sql<ShopTables>): Promise<[object, object]> {
    const box = await db.query.selectFrom('shop_boxes').selectAll().where('id', '=', this.#box).executeTakeFirst()
    const order = [...this.model.values()].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
    return [{ goods: await goodsOf(db, this.#box), count: Number(box?.goods) }, { goods: order, count: order.length }]
  }
}

export function seeded(seed: number): (n: number) => number {
  let state = seed >>> 0 || 1
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}
