/** Keys by which S3's clients speak to the objects of a project: Keystone's EC2 credentials. */
import { queryOptions } from '@tanstack/react-query'
import { session } from '../session.ts'
import { send } from './client.ts'

export interface S3Key {
  access: string
  secret: string
  tenant_id: string
}

const path = (access?: string): string => `/identity/v3/users/${encodeURIComponent(session.required().user.id)}/credentials/OS-EC2${access === undefined ? '' : `/${encodeURIComponent(access)}`}`

/** One's own, of this project. */
export const s3KeysQuery = (projectId: string) =>
  queryOptions({
    queryKey: ['project', projectId, 's3-keys'],
    queryFn: async ({ signal }): Promise<S3Key[]> => {
      const { credentials } = (await (await send('GET', path(), { token: await session.tokenFor(projectId), signal })).json()) as { credentials: S3Key[] }
      return credentials.filter(({ tenant_id }) => tenant_id === projectId)
    },
  })

export async function makeS3Key(projectId: string): Promise<S3Key> {
  const response = await send('POST', path(), { token: await session.tokenFor(projectId), body: { tenant_id: projectId } })
  return ((await response.json()) as { credential: S3Key }).credential
}

export async function revokeS3Key(projectId: string, access: string): Promise<void> {
  await send('DELETE', path(access), { token: await session.tokenFor(projectId) })
}
