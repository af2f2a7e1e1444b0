import { big, flag, id, int, json, type Migration, nullable, string, text } from '#base/sql/table.ts'

export const initial: Migration = {
  name: '0001-initial',
  async up(m) {
    await m.createTable(
      'glance_images',
      {
        id: id(),
        name: nullable(string()),
        disk_format: nullable(string(20)),
        container_format: nullable(string(20)),
        visibility: string(16),
        size: nullable(big()),
        virtual_size: nullable(big()),
        status: string(32),
        checksum: nullable(string(32)),
        os_hash_algo: nullable(string(64)),
        os_hash_value: nullable(string(128)),
        protected: flag(),
        min_ram: int(),
        min_disk: int(),
        owner: nullable(string()),
        os_hidden: flag(),
        properties: json(),
        tags: json(),
        stores: json(),
        importing_to: nullable(json()),
        failed_import: nullable(json()),
        created_at: big(),
        updated_at: big(),
      },
      { primary: ['id'], index: [['created_at', 'id'], ['owner'], ['visibility']] },
    )
    await m.createTable('glance_uploads', { image_id: id(), owner: string(128), beat_at: big() }, { primary: ['image_id'] })
    await m.createTable('glance_image_facts', { image_id: id(), kind: string(16), name: string(255), value: text() }, { primary: ['image_id', 'kind', 'name'] })
    await m.createTable(
      'glance_members',
      { image_id: id(), member: string(255), status: string(20), created_at: big(), updated_at: big() },
      { primary: ['image_id', 'member'], index: [['member', 'status']] },
    )
    await m.createTable(
      'glance_tasks',
      {
        id: id(),
        type: string(30),
        status: string(30),
        owner: nullable(string()),
        image_id: nullable(id()),
        user_id: nullable(string(64)),
        request_id: nullable(string(64)),
        input: json(),
        result: nullable(json()),
        message: text(),
        expires_at: nullable(big()),
        created_at: big(),
        updated_at: big(),
      },
      { primary: ['id'], index: [['image_id'], ['created_at', 'id']] },
    )
    await m.createTable(
      'glance_metadefs',
      { id: id(), kind: string(16), namespace: string(80), name: string(255), owner: nullable(string()), visibility: string(16), protected: flag(), body: json(), created_at: big(), updated_at: big() },
      { primary: ['id'], unique: [['kind', 'namespace', 'name']] },
    )
  },
}
