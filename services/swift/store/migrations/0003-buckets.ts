/** Names of buckets at the S3 door, one name space for the whole cloud. */
import { big, type Migration, string } from '#base/sql/table.ts'

export const buckets: Migration = {
  name: '0003-buckets',
  up: async (m) => {
    await m.createTable('swift_buckets', { name: string(256), container_id: string(32), claimed_at: big() }, { primary: ['name'], index: [['container_id']] })
  },
}
