/** Images as they stand on the wire, and the calls other houses make. Paths are below the mount `/image`. */
import { operation } from '#stack/contract.ts'

export type ImageStatus = 'queued' | 'saving' | 'uploading' | 'importing' | 'active' | 'killed' | 'deleted' | 'pending_delete' | 'deactivated'

/** Custom properties (`hw_disk_bus`, `os_distro`, `block_device_mapping` …) stand beside the fields, as text. */
export interface Image {
  id: string
  name: string | null
  status: ImageStatus
  visibility: 'public' | 'private' | 'shared' | 'community'
  owner: string | null
  container_format: string | null
  disk_format: string | null
  /** Bytes. */
  size: number | null
  virtual_size: number | null
  /** MiB and GiB. */
  min_ram: number
  min_disk: number
  protected: boolean
  os_hidden: boolean
  checksum: string | null
  os_hash_algo: string | null
  os_hash_value: string | null
  tags: string[]
  created_at: string
  updated_at: string
  [property: string]: unknown
}

export interface ImageCreate {
  id?: string
  name?: string
  visibility?: Image['visibility']
  owner?: string
  container_format?: string
  disk_format?: string
  min_ram?: number
  min_disk?: number
  protected?: boolean
  tags?: readonly string[]
  [property: string]: unknown
}

interface One {
  params: { image_id: string }
}

export const listImages = operation<{ query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>> }, { images: Image[]; next?: string }>('GET', '/v2/images')
export const showImage = operation<One, Image>('GET', '/v2/images/{image_id}')
export const createImage = operation<{ body: ImageCreate }, Image>('POST', '/v2/images')
export const deleteImage = operation<One>('DELETE', '/v2/images/{image_id}')
/** Bytes go and come by `client.send`: PUT with `application/octet-stream`, GET. */
export const imageFilePath = (imageId: string): string => `/v2/images/${encodeURIComponent(imageId)}/file`
