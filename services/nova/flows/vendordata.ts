/** What the operator says to every guest: fixed in the configuration, and asked of the operator's own services for each guest. */
import { faultChain, unavailable } from '#base/fault.ts'
import { remoteHandler } from '#base/http/client.ts'
import { readBody } from '#base/http/message.ts'
import type { Nova } from '../house.ts'
import type { ServerRow } from '../store/tables.ts'

const MOST_BYTES = 1 << 20

/** `vendor_data2.json`: `static`, and the answer of each target under its name; an empty object for one that does not answer. */
export async function vendorData2(nova: Nova, server: ServerRow): Promise<Record<string, unknown>> {
  const targets = Object.entries(nova.config.vendordata_targets)
  if (targets.length === 0) return { static: nova.config.vendordata }
  const { token } = await nova.service()
  const question = JSON.stringify({
    'project-id': server.project_id,
    'instance-id': server.id,
    'image-id': server.image_id,
    'user-data': server.user_data,
    hostname: server.hostname,
    metadata: JSON.parse(server.metadata) as unknown,
    'boot-roles': '',
  })
  const asked = await Promise.all(
    targets.map(async ([name, url]) => {
      try {
        return [name, await ask(url, question, token.reveal(), nova.config.vendordata_timeout)] as const
      } catch (thrown) {
        nova.world.log.module('nova.metadata').warn('Failed to ask for vendor data', { server: server.id, target: name, error: faultChain(thrown) })
        return [name, {}] as const
      }
    }),
  )
  return { static: nova.config.vendordata, ...Object.fromEntries(asked) }
}

async function ask(target: string, question: string, token: string, timeout: number): Promise<unknown> {
  const url = new URL(target)
  const handler = remoteHandler(url.origin, { timeout })
  try {
    const answer = await handler({ method: 'POST', mount: '', path: url.pathname, query: url.search.slice(1), headers: { 'content-type': 'application/json', accept: 'application/json', 'x-auth-token': token }, body: question, signal: AbortSignal.timeout(timeout) } as never)
    const body = await readBody(answer.body, MOST_BYTES)
    if (answer.status >= 300) throw unavailable(`It answered ${answer.status}`)
    if (body === undefined) throw unavailable(`It answered with more than ${MOST_BYTES} bytes`)
    return JSON.parse(body.toString())
  } finally {
    handler.close()
  }
}
