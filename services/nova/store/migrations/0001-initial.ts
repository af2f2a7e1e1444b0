/** The first shape of Nova's tables. */
import { big, double, flag, id, int, json, type Migration, nullable, string, text } from '#base/sql/table.ts'

export const initial: Migration = {
  name: '0001-initial',
  async up(m) {
    await m.createTable(
      'nova_servers',
      {
        id: id(), project_id: id(), user_id: id(), name: string(), description: nullable(string()), hostname: string(),
        vm_state: string(32), task_state: nullable(string(64)), power_state: int(), progress: int(),
        host: nullable(string()), node: nullable(string()), host_id: nullable(id()), availability_zone: nullable(string()), pinned_az: nullable(string()),
        flavor_id: string(), flavor: json(), vcpus: int(), memory_mb: int(), image_id: id(), image: json(),
        key_name: nullable(string()), key_data: nullable(json()), user_data: nullable(text()), config_drive: string(8), auto_disk_config: flag(),
        metadata: json(), network_info: json(), security_groups: json(), scheduler_hints: json(), group_id: nullable(id()), fault: nullable(json()),
        locked_by: nullable(string(8)), locked_reason: nullable(string()), reservation_id: string(32), launch_index: int(),
        access_ip_v4: nullable(string(64)), access_ip_v6: nullable(string(64)), root_device_name: string(), private: json(),
        created_at: big(), updated_at: big(), launched_at: nullable(big()), terminated_at: nullable(big()), deleted: flag(), buried: flag(),
      },
      { primary: ['id'], index: [['project_id', 'deleted', 'created_at'], ['deleted', 'created_at'], ['host_id', 'deleted'], ['group_id'], ['updated_at']] },
    )
    await m.createTable('nova_server_tags', { server_id: id(), tag: string(80) }, { primary: ['server_id', 'tag'], index: [['tag']] })
    await m.createTable(
      'nova_block_devices',
      {
        id: id(), server_id: id(), source_type: string(16), destination_type: string(16), device_type: nullable(string(16)), disk_bus: nullable(string(16)),
        guest_format: nullable(string(16)), boot_index: int(), device_name: nullable(string()), image_id: nullable(id()), snapshot_id: nullable(id()), volume_id: nullable(id()),
        volume_size: nullable(int()), volume_type: nullable(string()), delete_on_termination: flag(), attachment_id: nullable(id()), connection_info: nullable(json()),
        tag: nullable(string()), created_at: big(),
      },
      // A volume is once in a server: two requests at one moment cannot both hold it.
      { primary: ['id'], unique: [['server_id', 'volume_id']], index: [['volume_id'], ['created_at']] },
    )
    await m.createTable(
      'nova_actions',
      { id: id(), server_id: id(), action: string(64), request_id: string(64), user_id: string(64), project_id: string(64), message: nullable(text()), events: json(), started_at: big(), updated_at: big() },
      { primary: ['id'], index: [['server_id', 'request_id']] },
    )
    await m.createTable(
      'nova_migrations',
      {
        id: int(), uuid: id(), server_id: id(), migration_type: string(32), status: string(32), source_compute: string(), source_node: string(), source_host_id: id(),
        dest_compute: nullable(string()), dest_node: nullable(string()), dest_host_id: nullable(id()), dest_host: nullable(string()), old_flavor: nullable(json()), new_flavor: nullable(json()),
        user_id: string(64), project_id: string(64), buried: flag(), created_at: big(), updated_at: big(),
      },
      { primary: ['id'], unique: [['uuid']], index: [['server_id'], ['source_host_id', 'buried'], ['created_at'], ['status', 'updated_at']] },
    )
    await m.createTable(
      'nova_compute_nodes',
      { uuid: id(), id: int(), service_id: int(), host: string(), hypervisor_hostname: string(), host_ip: string(64), facts: json(), traits: json(), created_at: big(), updated_at: big() },
      { primary: ['uuid'], unique: [['id'], ['host', 'hypervisor_hostname']] },
    )
    await m.createTable(
      'nova_services',
      {
        id: int(), uuid: id(), host: string(), binary: string(64), topic: string(64), disabled: flag(), disabled_reason: nullable(string()), forced_down: flag(),
        last_seen_at: big(), created_at: big(), updated_at: big(),
      },
      { primary: ['id'], unique: [['uuid'], ['host', 'binary']] },
    )
    await m.createTable(
      'nova_flavors',
      {
        flavorid: string(), name: string(), description: nullable(text()), memory_mb: int(), vcpus: int(), root_gb: int(), ephemeral_gb: int(), swap: int(), rxtx_factor: double(),
        is_public: flag(), disabled: flag(), extra_specs: json(), created_at: big(), updated_at: big(),
      },
      { primary: ['flavorid'], unique: [['name']] },
    )
    await m.createTable('nova_flavor_access', { flavorid: string(), project_id: id() }, { primary: ['flavorid', 'project_id'] })
    await m.createTable(
      'nova_keypairs',
      { id: int(), user_id: id(), name: string(), type: string(8), fingerprint: string(), public_key: text(), created_at: big() },
      { primary: ['user_id', 'name'], unique: [['id']] },
    )
    await m.createTable('nova_aggregates', { id: int(), uuid: id(), name: string(), metadata: json(), created_at: big(), updated_at: big() }, { primary: ['id'], unique: [['name'], ['uuid']] })
    await m.createTable('nova_aggregate_hosts', { aggregate_id: int(), host: string() }, { primary: ['aggregate_id', 'host'], index: [['host']] })
    await m.createTable(
      'nova_server_groups',
      { id: id(), project_id: id(), user_id: id(), name: string(), policy: string(32), rules: json(), created_at: big() },
      { primary: ['id'], index: [['project_id']] },
    )
    await m.createTable('nova_quotas', { project_id: id(), user_id: id(), resource: string(64), hard_limit: int() }, { primary: ['project_id', 'user_id', 'resource'] })
    await m.createTable('nova_begun_images', { image_id: id(), server_id: id(), created_at: big() }, { primary: ['image_id'], index: [['created_at']] })
    await m.createTable(
      'nova_console_tokens',
      { token_hash: string(64), server_id: id(), console_type: string(32), host_id: id(), expires_at: big(), used: flag() },
      { primary: ['token_hash'], index: [['server_id'], ['expires_at']] },
    )
  },
}
