/**
 * What a person may do to long work from outside, in every state of it and from any process: the rows are changed, and whoever runs
 * the work meets that at its next write or heartbeat, within seconds. Doing it twice is doing it once.
 */
import { invalid } from '../fault.ts'
import type { Database, Sql } from '../sql/database.ts'
import type { World } from '../world.ts'
import type { FlowState } from './definition.ts'
import { type FlowRow, type FlowTables, insertFlow } from './journal.ts'

export const VERBS = ['cancel', 'take-over', 'retry'] as const
export type Verb = (typeof VERBS)[number]

export interface Outcome {
  id: string
  house: string
  name: string
  resource_id: string
  state: FlowState
  /** False: there was nothing to do, and `message` says why. */
  done: boolean
  message: string
}

const LIVE: readonly FlowState[] = ['queued', 'running', 'unwinding']

/** `what` is the id of an operation, a resource or a request. Live ones only, unless there are none: then the latest that has ended. */
export async function overseen(sql: Sql<FlowTables>, what: string): Promise<FlowRow[]> {
  const rows = await sql.query
    .selectFrom('flows')
    .selectAll()
    .where((eb) => eb.or([eb('id', '=', what), eb('resource_id', '=', what), eb('request_id', '=', what)]))
    .orderBy('created_at', 'desc')
    .limit(100)
    .execute()
  const live = rows.filter((row) => LIVE.includes(row.state))
  return live.length > 0 ? live : rows.slice(0, 1)
}

/** One outcome for each operation of `what`; none when nothing is known of it. */
export async function oversee(db: Database<FlowTables>, world: Pick<World, 'clock' | 'random'>, verb: string, what: string): Promise<Outcome[]> {
  const act = Object.hasOwn(ACTS, verb) ? ACTS[verb as Verb] : undefined
  if (!act) throw invalid(`There is no verb "${verb}": ${VERBS.join(', ')}.`, { field: 'verb' })
  if (what === '') throw invalid('Name an operation, a resource or a request by its id.', { field: 'of' })
  const outcomes: Outcome[] = []
  for (const row of await overseen(db, what)) {
    const { id, house, name, resource_id, state } = row
    outcomes.push({ id, house, name, resource_id, state, ...(await act(db, world, row)) })
  }
  return outcomes
}

type Act = (db: Database<FlowTables>, world: Pick<World, 'clock' | 'random'>, row: FlowRow) => Promise<Pick<Outcome, 'done' | 'message'>>

const nothing = (message: string): Pick<Outcome, 'done' | 'message'> => ({ done: false, message })
const done = (message: string): Pick<Outcome, 'done' | 'message'> => ({ done: true, message })
const ended = ({ state, name }: FlowRow): Pick<Outcome, 'done' | 'message'> => nothing(`${name} has ended (${state}); there is nothing to do.`)
const OVERTAKEN = nothing('It moved on meanwhile; look again.')

const ACTS: Readonly<Record<Verb, Act>> = {
  async cancel(db, _world, row) {
    if (!LIVE.includes(row.state)) return ended(row)
    if (row.state === 'unwinding') return nothing('It is being undone already.')
    if (row.cancel === 1) return nothing('It was cancelled already and ends within seconds.')
    const { numUpdatedRows } = await db.query.updateTable('flows').set({ cancel: 1 }).where('id', '=', row.id).where('state', 'in', LIVE).executeTakeFirst()
    return numUpdatedRows === 1n ? done('It ends its step, undoes what it did and ends as cancelled.') : OVERTAKEN
  },
  async 'take-over'(db, _world, row) {
    if (!LIVE.includes(row.state)) return ended(row)
    if (row.owner === null) return nothing('Nobody holds it; the next worker that looks takes it.')
    return (await free(db, row, {})) ? done(`Taken from ${row.owner}; the next worker that looks goes on at step ${row.step || 'one'}.`) : OVERTAKEN
  },
  async retry(db, world, row) {
    const now = world.clock.now()
    const span = row.deadline_at - row.created_at
    if (LIVE.includes(row.state)) return (await free(db, row, { deadline_at: now + span })) ? done(`Step ${row.step || 'one'} begins again, with a new deadline.`) : OVERTAKEN
    if (row.state === 'done') return nothing(`${row.name} has succeeded; there is nothing to do.`)
    // What was undone may since be in other hands, so that only the user can ask for it again. To delete is right at any time.
    if (!row.name.startsWith('delete-')) return nothing(`${row.name} has ended (${row.state}) and was undone: ask for it again through the API, which allows it in this state.`)
    const again: FlowRow = { ...row, id: world.random.uuid(), state: 'queued', step: '', journal: '[]', owner: null, lease_until: 0, epoch: 1, cancel: 0, error: null, attempts: 1, created_at: now, deadline_at: now + span, updated_at: now }
    await db.transaction(async (tx) => insertFlow(tx, again))
    return done(`Begun again as operation ${again.id}.`)
  },
}

/** Nobody's, and nothing that its owner writes counts any more. */
async function free(db: Database<FlowTables>, row: FlowRow, patch: Partial<FlowRow>): Promise<boolean> {
  const { numUpdatedRows } = await db.query.updateTable('flows').set({ ...patch, owner: null, lease_until: 0, epoch: row.epoch + 1 }).where('id', '=', row.id).where('epoch', '=', row.epoch).where('state', 'in', LIVE).executeTakeFirst()
  return numUpdatedRows === 1n
}
