/** The first tables: accounts, containers, objects and their old versions, bytes to be removed, bytes that are bad. */
import { big, type Column, flag, id, json, type Migration, name, nullable, string, text } from '#base/sql/table.ts'

const shortId = (): Column => string(32)

const stored = (): Record<string, Column> => ({
  container_id: shortId(), name: name(1024), bytes_id: string(160), size: big(), stored: big(), etag: id(), content_type: text(), metadata: json(), listing: nullable(json()), parts: nullable(json()),
  secret_id: nullable(id()), created_at: big(), delete_at: nullable(big()), version_id: nullable(string(24)),
})

export const initial: Migration = {
  name: '0001-initial',
  up: async (m) => {
    await m.createTable('swift_accounts', { account: string(256), metadata: json(), created_at: big(), deleted_at: nullable(big()) }, { primary: ['account'] })
    await m.createTable(
      'swift_containers',
      { id: shortId(), account: string(256), name: string(256), metadata: json(), policy: string(64), object_count: big(), bytes_used: big(), created_at: big(), changed_at: big() },
      { primary: ['id'], unique: [['account', 'name']] },
    )
    await m.createTable('swift_objects', stored(), { primary: ['container_id', 'name'], index: [['delete_at'], ['bytes_id']] })
    await m.createTable('swift_versions', { ...stored(), rank: string(24), deleted: flag() }, { primary: ['container_id', 'name', 'rank'], index: [['bytes_id']] })
    await m.createTable('swift_cleanup', { bytes_id: string(160), due_at: big() }, { primary: ['bytes_id'], index: [['due_at']] })
    await m.createTable('swift_quarantine', { bytes_id: string(160), reason: text(), found_at: big() }, { primary: ['bytes_id'] })
  },
}
