/**
 * The image `ondol-guest` of a fresh cloud. With real drivers it is built from Debian packages, in the background, once; with fake ones a
 * mebibyte of zeros serves as well, for nothing boots from it.
 */
import { createReadStream } from 'node:fs'
import { invalid } from '#base/fault.ts'
import type { Caller, Client } from '#stack/client.ts'
import { operation } from '#stack/contract.ts'

export const GUEST_IMAGE = 'ondol-guest'

interface ImageLine {
  id: string
  status: string
}

const listImages = operation<{ query: { name: string } }, { images: ImageLine[] }>('GET', '/v2/images')
const createImage = operation<{ body: object }, ImageLine>('POST', '/v2/images')
const deleteImage = operation<{ params: { image_id: string } }>('DELETE', '/v2/images/{image_id}')

/** True when an image of that name is ready. */
export async function guestImageReady(client: Client, admin: Caller): Promise<boolean> {
  const { images } = await client.call(admin, 'glance', listImages, { query: { name: GUEST_IMAGE } })
  return images.some((image) => image.status === 'active')
}

/** What an earlier start began and did not end. */
export async function removeHalfMade(client: Client, admin: Caller): Promise<void> {
  const { images } = await client.call(admin, 'glance', listImages, { query: { name: GUEST_IMAGE } })
  for (const image of images) if (image.status !== 'active') await client.call(admin, 'glance', deleteImage, { params: { image_id: image.id } })
}

/** `path` of a qcow2, or undefined for the pretended image. */
export async function uploadGuestImage(client: Client, admin: Caller, path: string | undefined): Promise<void> {
  const { id } = await client.call(admin, 'glance', createImage, {
    body: { name: GUEST_IMAGE, visibility: 'public', disk_format: path ? 'qcow2' : 'raw', container_format: 'bare', min_ram: path ? 128 : 0, min_disk: path ? 1 : 0, os_type: 'linux', hw_qemu_guest_agent: 'yes', os_admin_user: 'ondol' },
  })
  const answer = await client.send(admin, 'glance', {
    method: 'PUT',
    path: `/v2/images/${id}/file`,
    headers: { 'content-type': 'application/octet-stream' },
    body: path ? createReadStream(path, { highWaterMark: 1 << 20 }) : new Uint8Array(1 << 20),
  })
  if (answer.status !== 204) throw invalid(`Glance refused the image ${GUEST_IMAGE} with ${answer.status}`)
}
