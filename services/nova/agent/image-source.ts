/** Images from Glance to a host's disk, and snapshots back. The format is Glance's record, never a guess. */
import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { conflict, Fault, unavailable } from '#base/fault.ts'
import { type HttpResponse, isStream, readBody } from '#base/http/message.ts'
import { imageFilePath, showImage } from '#glance/contract/images.ts'
import type { ImageFormat, ImageSource } from '#nova/drivers/interface.ts'
import type { Caller, Client } from '#stack/client.ts'

export interface Images {
  source: ImageSource
  upload(imageId: string, path: string, size: number, signal: AbortSignal): Promise<void>
}

export interface GlanceParts {
  client: Client
  serviceCaller(): Promise<Caller>
}

export function glanceImages({ client, serviceCaller }: GlanceParts): Images {
  return {
    source: {
      async fetch(imageId, destination, signal) {
        const caller = await serviceCaller()
        const image = await recordOf(client, caller, imageId)
        const response = await client.send(caller, 'glance', { method: 'GET', path: imageFilePath(imageId) })
        if (response.status !== 200) throw refused(response, `Image ${imageId} could not be downloaded.`)
        const target = createWriteStream(destination, { mode: 0o600 })
        if (isStream(response.body)) await pipeline(response.body, target, { signal })
        else await new Promise<void>((resolve, reject) => target.on('error', reject).end(response.body ?? '', resolve))
        return { format: (image.disk_format ?? 'raw') as ImageFormat, size: image.size ?? 0 }
      },
    },
    async upload(imageId, path, size, signal) {
      const response = await client.send(await serviceCaller(), 'glance', {
        method: 'PUT',
        path: imageFilePath(imageId),
        headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
        body: createReadStream(path, { signal }),
      })
      if (response.status >= 300) throw refused(response, `Snapshot ${imageId} could not be uploaded.`)
    },
  }
}

/** For fake hosts: what Glance says of the image, without its bytes, and a few bytes as a snapshot. */
export function fakeImages({ client, serviceCaller }: GlanceParts): Images {
  return {
    source: {
      async fetch(imageId) {
        const image = await recordOf(client, await serviceCaller(), imageId)
        return { format: (image.disk_format ?? 'raw') as ImageFormat, size: image.size ?? 0 }
      },
    },
    async upload(imageId) {
      const body = Buffer.from(`snapshot ${imageId}`.padEnd(1_024, '\0'))
      const response = await client.send(await serviceCaller(), 'glance', { method: 'PUT', path: imageFilePath(imageId), headers: { 'content-type': 'application/octet-stream' }, body })
      if (response.status >= 300) throw refused(response, `Snapshot ${imageId} could not be uploaded.`)
    },
  }
}

async function recordOf(client: Client, caller: Caller, imageId: string) {
  const image = await client.call(caller, 'glance', showImage, { params: { image_id: imageId } })
  if (image.status !== 'active') throw conflict(`Image ${imageId} is not active.`, { code: 'nova.image_not_active' })
  return image
}

function refused(response: HttpResponse, message: string): Fault {
  void readBody(response.body, 2 ** 16)
  const options = { detail: `glance answered ${response.status}` }
  return response.status >= 500 ? unavailable(message, options) : conflict(message, options)
}
