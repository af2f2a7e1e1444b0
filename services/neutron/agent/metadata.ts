/**
 * Metadata for guests: who asks is known by the network and the address, never by a header; Nova is told by our own headers, signed.
 * Nothing that the guest sent but method, path, query and body goes further (threat A17).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Bus } from '#base/bus/interface.ts'
import { faultChain } from '#base/fault.ts'
import { type HttpBody, isStream, readBody, splitTarget } from '#base/http/message.ts'
import { requestId } from '#base/ids.ts'
import { runInScope } from '#base/scope.ts'
import type { World } from '#base/world.ts'
import { CONTROL_TOPIC, type MetadataAnswer } from '#neutron/contract/rpc.ts'
import type { MetadataHandler, MetadataSource } from '#neutron/drivers/interface.ts'
import { METADATA_PATH, metadataHeaders } from '#nova/contract/metadata.ts'
import type { AgentParts } from '#stack/house.ts'

const MAX_BODY = 64 * 1024

export interface MetadataParts extends Pick<AgentParts<unknown>, 'client' | 'serviceCaller'> {
  world: World
  bus: Bus
  secret: string
}

export function metadataHandler(parts: MetadataParts): MetadataHandler {
  const log = parts.world.log.module('neutron.metadata')
  return (source, request, response) => {
    void runInScope({ request_id: requestId(parts.world.random) }, () => answer(parts, source, request, response)).catch((thrown: unknown) => {
      log.warn('Failed to answer a guest', { error: faultChain(thrown), remote_address: source.remote_address })
      refuse(response, 503, 'The metadata service is not available')
    })
  }
}

async function answer(parts: MetadataParts, source: MetadataSource, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const remote_address = source.remote_address.replace(/^::ffff:(?=\d+\.)/, '')
  const guest = (await parts.bus.call(CONTROL_TOPIC, 'instanceAt', { ...source, remote_address })) as MetadataAnswer | null
  if (!guest) {
    refuse(response, 404, 'No instance has this address')
    return
  }
  const body = await readBody(request, MAX_BODY)
  if (!body) {
    refuse(response, 413, `A body may have ${MAX_BODY} bytes`)
    return
  }
  const { path, query } = splitTarget(request.url ?? '/')
  // Without a secret the signature is of the empty key, which Nova never takes: our token vouches for us then.
  const headers = metadataHeaders({ server_id: guest.instance_id, project_id: guest.project_id, remote_address }, parts.secret)
  const reply = await parts.client.send(await parts.serviceCaller(), 'nova', {
    method: request.method ?? 'GET',
    path: METADATA_PATH + path,
    query,
    headers: { ...headers, ...(body.length > 0 && request.headers['content-type'] ? { 'content-type': request.headers['content-type'] } : {}) },
    ...(body.length > 0 ? { body: body as HttpBody } : {}),
  })
  const type = reply.headers['content-type']
  response.writeHead(reply.status, type === undefined ? {} : { 'content-type': [type].flat().join(', ') })
  if (isStream(reply.body)) reply.body.pipe(response)
  else response.end(reply.body)
}

function refuse(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(status, { 'content-type': 'text/plain; charset=UTF-8' })
  response.end(`${text}\n`)
}
