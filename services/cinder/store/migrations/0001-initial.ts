import { big, flag, id, int, json, type Migration, type Migrator, nullable, string } from '#base/sql/table.ts'

const stamps = { created_at: big(), updated_at: nullable(big()) }

export const initial: Migration = {
  name: '0001-initial',
  async up(m) {
    await volumes(m)
    await types(m)
    await others(m)
  },
}

async function volumes(m: Migrator): Promise<void> {
  await m.createTable(
    'cinder_volumes',
    {
      id: id(),
      project_id: id(),
      user_id: id(),
      name: nullable(string()),
      description: nullable(string()),
      size: int(),
      status: string(32),
      previous_status: nullable(string(32)),
      attach_status: string(32),
      migration_status: nullable(string(32)),
      availability_zone: string(),
      host: nullable(string()),
      volume_type_id: nullable(id()),
      snapshot_id: nullable(id()),
      source_volid: nullable(id()),
      backup_id: nullable(id()),
      group_id: nullable(id()),
      bootable: flag(),
      multiattach: flag(),
      readonly: nullable(flag()),
      encryption_key_id: nullable(id()),
      consumes_quota: flag(),
      replication_status: nullable(string(32)),
      metadata: json(),
      image_metadata: nullable(json()),
      ...stamps,
      launched_at: nullable(big()),
    },
    { primary: ['id'], index: [['project_id', 'created_at', 'id'], ['created_at', 'id'], ['volume_type_id'], ['group_id'], ['host']] },
  )
  await m.createTable(
    'cinder_snapshots',
    {
      id: id(),
      volume_id: id(),
      project_id: id(),
      user_id: id(),
      name: nullable(string()),
      description: nullable(string()),
      status: string(32),
      progress: string(16),
      volume_size: int(),
      volume_type_id: nullable(id()),
      group_snapshot_id: nullable(id()),
      consumes_quota: flag(),
      metadata: json(),
      ...stamps,
    },
    { primary: ['id'], index: [['project_id', 'created_at', 'id'], ['volume_id'], ['group_snapshot_id']] },
  )
  await m.createTable(
    'cinder_attachments',
    {
      id: id(),
      volume_id: id(),
      project_id: id(),
      instance_uuid: nullable(id()),
      attached_host: nullable(string()),
      mountpoint: nullable(string()),
      attach_mode: nullable(string(8)),
      attach_status: string(32),
      connector: nullable(json()),
      connection_info: nullable(json()),
      attach_time: nullable(big()),
      ...stamps,
    },
    { primary: ['id'], index: [['volume_id'], ['instance_uuid'], ['project_id', 'created_at']] },
  )
  await m.createTable('cinder_facts', { owner_id: id(), kind: string(16), name: string(), value: json() }, { primary: ['owner_id', 'kind', 'name'] })
}

async function types(m: Migrator): Promise<void> {
  await m.createTable(
    'cinder_types',
    { id: id(), name: string(), description: nullable(string()), is_public: flag(), extra_specs: json(), qos_specs_id: nullable(id()), ...stamps },
    { primary: ['id'], unique: [['name']], index: [['qos_specs_id']] },
  )
  await m.createTable('cinder_type_access', { volume_type_id: id(), project_id: id() }, { primary: ['volume_type_id', 'project_id'], index: [['project_id']] })
  await m.createTable(
    'cinder_encryptions',
    { volume_type_id: id(), encryption_id: id(), provider: string(), control_location: string(32), cipher: nullable(string()), key_size: nullable(int()), ...stamps },
    { primary: ['volume_type_id'] },
  )
  await m.createTable('cinder_qos', { id: id(), name: string(), consumer: string(16), specs: json(), created_at: big() }, { primary: ['id'], unique: [['name']] })
  await m.createTable('cinder_quotas', { scope: string(16), owner: string(), resource: string(), hard_limit: big() }, { primary: ['scope', 'owner', 'resource'] })
  await m.createTable('cinder_quota_locks', { project_id: id(), turn: big() }, { primary: ['project_id'] })
  await m.createTable(
    'cinder_services',
    {
      id: id(),
      host: string(),
      binary: string(64),
      availability_zone: string(),
      disabled: flag(),
      disabled_reason: nullable(string()),
      frozen: flag(),
      facts: json(),
      beat_at: big(),
      ...stamps,
    },
    { primary: ['id'], unique: [['host', 'binary']] },
  )
  await m.createTable('cinder_default_types', { project_id: id(), volume_type_id: id() }, { primary: ['project_id'] })
}

async function others(m: Migrator): Promise<void> {
  await m.createTable(
    'cinder_transfers',
    {
      id: id(),
      volume_id: id(),
      name: nullable(string()),
      salt: string(64),
      crypt_hash: string(128),
      no_snapshots: flag(),
      source_project_id: id(),
      destination_project_id: nullable(id()),
      accepted: flag(),
      created_at: big(),
    },
    { primary: ['id'], index: [['volume_id'], ['source_project_id', 'created_at']] },
  )
  await m.createTable(
    'cinder_backups',
    {
      id: id(),
      project_id: id(),
      user_id: id(),
      volume_id: id(),
      snapshot_id: nullable(id()),
      parent_id: nullable(id()),
      name: nullable(string()),
      description: nullable(string()),
      container: nullable(string()),
      status: string(32),
      fail_reason: nullable(string()),
      size: int(),
      object_count: int(),
      availability_zone: string(),
      host: nullable(string()),
      metadata: json(),
      data_id: id(),
      volume_facts: json(),
      encryption_key_id: nullable(id()),
      data_timestamp: big(),
      ...stamps,
    },
    { primary: ['id'], index: [['project_id', 'created_at', 'id'], ['volume_id'], ['parent_id']] },
  )
  await m.createTable(
    'cinder_messages',
    {
      id: id(),
      project_id: id(),
      request_id: string(64),
      resource_type: string(64),
      resource_uuid: nullable(id()),
      event_id: string(64),
      message_level: string(16),
      user_message: json(),
      expires_at: big(),
      created_at: big(),
    },
    { primary: ['id'], index: [['project_id', 'created_at', 'id'], ['expires_at']] },
  )
  await m.createTable(
    'cinder_groups',
    {
      id: id(),
      project_id: id(),
      user_id: id(),
      name: nullable(string()),
      description: nullable(string()),
      status: string(32),
      availability_zone: string(),
      host: nullable(string()),
      group_type_id: id(),
      volume_types: json(),
      group_snapshot_id: nullable(id()),
      source_group_id: nullable(id()),
      replication_status: string(32),
      ...stamps,
    },
    { primary: ['id'], index: [['project_id', 'created_at', 'id'], ['group_type_id']] },
  )
  await m.createTable(
    'cinder_group_types',
    { id: id(), name: string(), description: nullable(string()), is_public: flag(), group_specs: json(), ...stamps },
    { primary: ['id'], unique: [['name']] },
  )
  await m.createTable(
    'cinder_group_snapshots',
    { id: id(), project_id: id(), user_id: id(), group_id: id(), group_type_id: id(), name: nullable(string()), description: nullable(string()), status: string(32), ...stamps },
    { primary: ['id'], index: [['project_id', 'created_at', 'id'], ['group_id']] },
  )
}
