/** What of a row this caller may see: judged once for every kind of row (whose it is, whose its parent is), not once per row. */
import type { PolicyTarget } from '#stack/route.ts'
import type { Noun } from '#neutron/core/noun.ts'
import { columnOf, namesOf, type Writer, writerOf } from '#neutron/core/view.ts'
import type { Row } from '#neutron/store/tables.ts'
import type { Actor } from './actor.ts'

/** Gives the writer for a row, or undefined when the row may not be seen. */
export type Lens = (row: Row) => Writer | undefined

export function lensOf(noun: Noun, actor: Actor, targetOf: (row: Row) => PolicyTarget, fields?: readonly string[]): Lens {
  const wanted = fields ?? namesOf(noun)
  if (actor.admin) {
    const writer = writerOf(noun, wanted)
    return () => writer
  }
  const policy = noun.policy ?? noun.one
  const known = new Map<string, Writer | null>()
  return (row) => {
    const target = targetOf(row)
    let key = ''
    for (const part of Object.values(target)) key += `${String(part)}\n`
    let writer = known.get(key)
    if (writer === undefined) {
      writer = actor.allows(`get_${policy}`, target) ? writerOf(noun, wanted.filter((name) => seen(noun, actor, policy, name, target))) : null
      known.set(key, writer)
    }
    return writer ?? undefined
  }
}

function seen(noun: Noun, actor: Actor, policy: string, name: string, target: PolicyTarget): boolean {
  const column = columnOf(noun, name)!
  return !noun.fields[column]!.guarded || actor.allows(`get_${policy}:${column}`, target)
}

/** The target of a noun without parents. */
export function ownTarget(row: Row): PolicyTarget {
  return { project_id: row.project_id, tenant_id: row.project_id }
}

/** As `ownTarget`, with `shared` as this project sees it. */
export function sharedTarget(project: string | undefined): (row: Row) => PolicyTarget {
  return (row) => ({ project_id: row.project_id, tenant_id: row.project_id, shared: isShared(row, project) })
}

/** Whether a row with `shared_with` is shared with this project. */
export function isShared(row: Row, project: string | undefined): boolean {
  const text = row.shared_with as string | undefined
  // Who asks for a few other fields has rows without this column, and shows nothing of it.
  if (text === undefined || text === '[]') return false
  const targets = JSON.parse(text) as string[]
  return targets.includes('*') || (project !== undefined && targets.includes(project))
}
