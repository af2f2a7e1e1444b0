/** Names that changed in containers which are copied to another cloud, until the other cloud has them. */
import { big, type Migration, name, string } from '#base/sql/table.ts'

export const sync: Migration = {
  name: '0004-sync',
  up: async (m) => {
    await m.createTable('swift_sync', { container_id: string(32), name: name(1024), changed_at: big() }, { primary: ['container_id', 'name'] })
  },
}
