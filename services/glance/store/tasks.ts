/** Queries on tasks: what imports were asked for, and how they went. */
import type { Sql } from '#base/sql/database.ts'
import { type ListPlan, selectPage } from '#stack/resource/listing.ts'
import { taskResource } from '../contract/image-resource.ts'
import type { GlanceTables, TaskRow } from './tables.ts'

type Db = Sql<GlanceTables>

export async function taskById(db: Db, taskId: string): Promise<TaskRow | undefined> {
  return db.query.selectFrom('glance_tasks').selectAll().where('id', '=', taskId).executeTakeFirst()
}

/** Oldest first. */
export async function tasksOfImage(db: Db, imageId: string): Promise<TaskRow[]> {
  return db.query.selectFrom('glance_tasks').selectAll().where('image_id', '=', imageId).orderBy('created_at').orderBy('id').execute()
}

export async function insertTask(db: Db, row: TaskRow): Promise<void> {
  await db.query.insertInto('glance_tasks').values(row).execute()
}

export async function setTask(db: Db, taskId: string, patch: Partial<TaskRow>): Promise<void> {
  await db.query.updateTable('glance_tasks').set(patch).where('id', '=', taskId).execute()
}

export async function expireTasks(db: Db, now: number): Promise<void> {
  await db.query.deleteFrom('glance_tasks').where('expires_at', 'is not', null).where('expires_at', '<', now).execute()
}

export async function pageOfTasks(db: Db, plan: ListPlan): Promise<{ rows: TaskRow[]; more: boolean }> {
  return (await selectPage(db as never, taskResource, plan, [])) as unknown as { rows: TaskRow[]; more: boolean }
}
