/**
 * Attachments: one record per volume and server, which alone says whether the volume is held (S6, S7). Nova makes one without a
 * connector to reserve the volume, updates it with the host's connector to get `connection_info`, completes it when the guest has the disk.
 */
import { operation } from '#stack/contract.ts'

/** What a host tells the storage about itself. */
export interface Connector {
  host: string
  ip?: string
  initiator?: string
  multipath: boolean
  platform: string
  os_type: string
  /** `/dev/vdb`: as the server is told. */
  mountpoint?: string
  mode?: 'rw' | 'ro'
}

/** How the host reaches the volume; the keys of `data` follow from the type. Flat on the wire, as Cinder has it from 3.27. */
export interface ConnectionInfo {
  driver_volume_type: string
  [key: string]: unknown
}

export interface Attachment {
  id: string
  status: 'reserved' | 'attaching' | 'attached' | 'detached' | 'error_attaching'
  instance: string
  volume_id: string
  attached_at: string | null
  detached_at: string | null
  attach_mode: 'rw' | 'ro' | null
  /** Empty until there is a connector. */
  connection_info: ConnectionInfo | Record<string, never>
}

export interface AttachmentCreate {
  volume_uuid: string
  instance_uuid: string
  connector?: Connector
  mode?: 'rw' | 'ro'
}

const V = 'volume 3.54'
interface One {
  params: { attachment_id: string }
}

export const createAttachment = operation<{ body: { attachment: AttachmentCreate } }, { attachment: Attachment }>('POST', '/v3/attachments', V)
export const updateAttachment = operation<One & { body: { attachment: { connector: Connector } } }, { attachment: Attachment }>('PUT', '/v3/attachments/{attachment_id}', V)
/** Short views: of all projects with `all_tenants`, of one server with `instance_id`. */
export const listAttachments = operation<{ query?: { all_tenants?: boolean; instance_id?: string } }, { attachments: Pick<Attachment, 'id' | 'status' | 'instance' | 'volume_id'>[] }>('GET', '/v3/attachments', V)
export const showAttachment = operation<One, { attachment: Attachment }>('GET', '/v3/attachments/{attachment_id}', V)
export const completeAttachment = operation<One & { body: { 'os-complete': null } }>('POST', '/v3/attachments/{attachment_id}/action', V)
export const deleteAttachment = operation<One, { attachments: Attachment[] }>('DELETE', '/v3/attachments/{attachment_id}', V)
