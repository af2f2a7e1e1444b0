/** Tags of projects. */
import { invalid } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { getProject, storeTags, tagsOf } from '../store/projects.ts'
import { deleteRows, findRow, insertRow } from '../store/rows.ts'
import type { ProjectRow } from '../store/tables.ts'
import { TAG, TAGS } from './fields.ts'
import type { Keystone } from './house.ts'
import { projectTarget } from './projects.ts'
import { at, checked, enforce, missing, selfUrl, there, v3 } from './steps.ts'

const MOST = 80

export function tagRoutes(house: Keystone): Route[] {
  const { db } = house
  const find = async (rq: Rq, action: string): Promise<{ project: ProjectRow; tags: string[] }> => {
    const project = await getProject(db, rq.params.project_id!)
    enforce(rq, action, projectTarget(project))
    there(project, 'project', rq.params.project_id!)
    return { project: project!, tags: (await tagsOf(db, [project!.id])).get(project!.id) ?? [] }
  }
  const reply = (rq: Rq, tags: readonly string[]): Reply => ({ json: { tags, links: { self: selfUrl(rq) } } })
  const path = '/v3/projects/{project_id}/tags'
  return [
    at('GET', path, 'project_tags.list', 200, async (rq) => reply(rq, (await find(rq, 'list_project_tags')).tags)),
    at('PUT', path, 'project_tags.replace', 200, async (rq) => {
      const { project } = await find(rq, 'update_project_tags')
      checked({ type: 'object', required: ['tags'], properties: { tags: TAGS } }, rq.body)
      const { tags } = rq.body as { tags: string[] }
      await db.transaction((tx) => storeTags(tx, project.id, tags))
      return reply(rq, [...tags].sort())
    }),
    at('DELETE', path, 'project_tags.clear', 204, async (rq) => {
      const { project } = await find(rq, 'delete_project_tags')
      await deleteRows(db, 'keystone_project_tags', { project_id: project.id })
      return {}
    }),
    at('GET', `${path}/{tag}`, 'project_tags.check', 204, async (rq) => {
      const { tags } = await find(rq, 'get_project_tag')
      if (!tags.includes(rq.params.tag!)) throw missing('project tag', rq.params.tag!)
      return {}
    }),
    at('PUT', `${path}/{tag}`, 'project_tags.add', 201, async (rq) => {
      const { project, tags } = await find(rq, 'create_project_tag')
      const name = rq.params.tag!
      checked({ type: 'object', properties: { tag: TAG } }, { tag: name })
      if (!tags.includes(name)) {
        if (tags.length >= MOST) throw invalid(`A project has at most ${MOST} tags.`, { field: 'tag' })
        await db.transaction(async (tx) => {
          if (!(await findRow(tx, 'keystone_project_tags', { project_id: project.id, name }))) await insertRow(tx, 'keystone_project_tags', { project_id: project.id, name })
        })
      }
      return { headers: { location: v3(rq, `projects/${project.id}/tags/${encodeURIComponent(name)}`) } }
    }),
    at('DELETE', `${path}/{tag}`, 'project_tags.remove', 204, async (rq) => {
      const { project, tags } = await find(rq, 'delete_project_tag')
      if (!tags.includes(rq.params.tag!)) throw missing('project tag', rq.params.tag!)
      await deleteRows(db, 'keystone_project_tags', { project_id: project.id, name: rq.params.tag! })
      return {}
    }),
  ]
}
