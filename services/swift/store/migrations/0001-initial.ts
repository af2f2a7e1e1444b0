/** The first tables: accounts, containers, objects, bytes to be removed. */
import { big, id, json, type Migration, nullable, string } from '#base/sql/table.ts'

export const initial: Migration = {
  name: '0001-initial',
  up: async (m) => {
    await m.createTable('swift_accounts', { account: string(255), metadata: json(), created_at: big() }, { primary: ['account'] })
    await m.createTable('swift_containers', { id: id(), account: string(255), name: string(256), metadata: json(), object_count: big(), bytes_used: big(), created_at: big() }, { primary: ['id'], unique: [['account', 'name']] })
    await m.createTable(
      'swift_objects',
      { container_id: id(), name: string(700), bytes_id: id(), size: big(), etag: id(), content_type: string(1024), metadata: json(), created_at: big(), delete_at: nullable(big()) },
      { primary: ['container_id', 'name'], index: [['delete_at']] },
    )
    await m.createTable('swift_cleanup', { bytes_id: id(), due_at: big() }, { primary: ['bytes_id'], index: [['due_at']] })
  },
}
