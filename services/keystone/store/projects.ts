/** Projects and domains, which are projects that act as domains. */
import type { ProjectRow } from './tables.ts'
import { type Db, deleteRows, findRow, findRows, insertRow } from './rows.ts'

export async function getProject(db: Db, id: string): Promise<ProjectRow | undefined> {
  return findRow(db, 'keystone_projects', { id })
}

export async function getDomain(db: Db, id: string): Promise<ProjectRow | undefined> {
  const row = await findRow(db, 'keystone_projects', { id })
  return row?.is_domain === 1 ? row : undefined
}

export async function projectByName(db: Db, domain_id: string, name: string): Promise<ProjectRow | undefined> {
  return findRow(db, 'keystone_projects', { domain_id, name })
}

/** From the parent up to the domain, the nearest first. */
export async function ancestorsOf(db: Db, project: ProjectRow): Promise<ProjectRow[]> {
  const chain: ProjectRow[] = []
  for (let at = project.parent_id; at !== '' && chain.length < 64; ) {
    const row = await getProject(db, at)
    if (!row) break
    chain.push(row)
    at = row.parent_id
  }
  return chain
}

/** All below, level by level, without the project itself. */
export async function subtreeOf(db: Db, id: string): Promise<ProjectRow[]> {
  const all: ProjectRow[] = []
  let level = [id]
  while (level.length > 0) {
    const rows: ProjectRow[] = []
    for (let at = 0; at < level.length; at += 500) rows.push(...(await db.query.selectFrom('keystone_projects').selectAll().where('parent_id', 'in', level.slice(at, at + 500)).execute()))
    all.push(...rows)
    level = rows.map((row) => row.id)
  }
  return all
}

export async function tagsOf(db: Db, ids: readonly string[]): Promise<Map<string, string[]>> {
  const tags = new Map<string, string[]>()
  for (let at = 0; at < ids.length; at += 500) {
    const part = ids.slice(at, at + 500)
    const rows = part.length === 1 ? await findRows(db, 'keystone_project_tags', { project_id: part[0]! }, 'name') : await db.query.selectFrom('keystone_project_tags').selectAll().where('project_id', 'in', part).orderBy('name').execute()
    for (const row of rows) {
      const list = tags.get(row.project_id)
      if (list) list.push(row.name)
      else tags.set(row.project_id, [row.name])
    }
  }
  return tags
}

/** Puts these in place of all that were. */
export async function storeTags(tx: Db, project_id: string, tags: readonly string[]): Promise<void> {
  await deleteRows(tx, 'keystone_project_tags', { project_id })
  for (const name of new Set(tags)) await insertRow(tx, 'keystone_project_tags', { project_id, name })
}

export async function projectIds(db: Db): Promise<string[]> {
  return (await db.query.selectFrom('keystone_projects').select('id').execute()).map((row) => row.id)
}
