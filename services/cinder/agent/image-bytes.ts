/** Images on their way between Glance and a backend: a file of this host, for as long as it takes. */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Fault, unavailable } from '#base/fault.ts'
import { isStream, readBody } from '#base/http/message.ts'
import type { World } from '#base/world.ts'
import { imageFilePath } from '#glance/contract/images.ts'
import type { Caller, Client } from '#stack/client.ts'

export interface ImageBytesParts {
  world: World
  client: Client
  serviceCaller(): Promise<Caller>
  /** Emptied at the start of the agent. */
  folder: string
}

export interface ImageBytes {
  /** Runs `work` with the image's bytes in a file. */
  withImage<T>(imageId: string, work: (path: string) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Runs `work`, which writes the file, and uploads it to an image that is queued. */
  upload(imageId: string, write: (path: string) => Promise<unknown>): Promise<void>
  /** Takes away what a killed process left. */
  clean(): Promise<void>
}

export function imageBytes(parts: ImageBytesParts): ImageBytes {
  const { client, folder, world } = parts
  const withFile = async <T>(work: (path: string) => Promise<T>): Promise<T> => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const path = join(folder, world.random.uuid())
    try {
      return await work(path)
    } finally {
      await rm(path, { force: true })
    }
  }
  return {
    withImage: (imageId, work, signal) =>
      withFile(async (path) => {
        const answer = await client.send(await parts.serviceCaller(), 'glance', { method: 'GET', path: imageFilePath(imageId) })
        if (answer.status !== 200) {
          await readBody(answer.body, 65_536)
          throw answer.status === 404 ? new Fault('not_found', `Image ${imageId} could not be found.`) : unavailable(`The data of image ${imageId} could not be read (${answer.status}).`)
        }
        const body = isStream(answer.body) ? answer.body : Readable.from([Buffer.from(answer.body ?? '')])
        await pipeline(body, createWriteStream(path, { mode: 0o600 }), signal ? { signal } : {})
        return work(path)
      }),
    upload: (imageId, write) =>
      withFile(async (path) => {
        await write(path)
        const { size } = await stat(path)
        const answer = await client.send(await parts.serviceCaller(), 'glance', {
          method: 'PUT',
          path: imageFilePath(imageId),
          headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
          body: createReadStream(path),
        })
        const text = (await readBody(answer.body, 65_536))?.toString() ?? ''
        if (answer.status !== 204) throw new Fault('unavailable', `Image ${imageId} did not take the data of the volume (${answer.status}).`, { detail: text.slice(0, 500) })
      }),
    async clean() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}
