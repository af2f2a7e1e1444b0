/** Projects that administrators name are looked for in Keystone, so that a misspelt one is refused and not stored. */
import { invalid, isFault } from '#base/fault.ts'
import { showProject } from '#keystone/contract/operations.ts'
import type { Rq } from '#stack/route.ts'
import type { Nova } from '../house.ts'

export async function assertProject(nova: Nova, rq: Rq<unknown>, project_id: string): Promise<void> {
  if (project_id === rq.context.project_id) return
  await nova.client.call({ token: rq.context.token! }, 'keystone', showProject, { params: { project_id } }).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_found')) throw invalid(`Project ID ${project_id} is not a valid project.`, { field: 'project_id' })
    // Who may not look is believed: the policy of the operation itself has let them through.
    if (!isFault(thrown, 'forbidden')) throw thrown
  })
}
