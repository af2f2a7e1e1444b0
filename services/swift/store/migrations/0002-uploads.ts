/** Uploads in parts, as S3 has them, and their parts. */
import { big, id, int, json, type Migration, name, nullable, string } from '#base/sql/table.ts'

export const uploads: Migration = {
  name: '0002-uploads',
  up: async (m) => {
    await m.createTable('swift_uploads', { id: string(32), container_id: string(32), name: name(1024), headers: json(), created_at: big() }, { primary: ['id'], index: [['container_id']] })
    await m.createTable('swift_upload_parts', { upload_id: string(32), number: int(), bytes_id: string(160), size: big(), etag: id(), secret_id: nullable(id()), checksum: nullable(string(128)), created_at: big() }, { primary: ['upload_id', 'number'], index: [['bytes_id']] })
  },
}
