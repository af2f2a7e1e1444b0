import { big, double, id, int, type Migration, nullable, string, text } from '#base/sql/table.ts'

export const initial: Migration = {
  name: '0001-initial',
  up: async (m) => {
    await m.createTable(
      'placement_providers',
      { uuid: id(), name: string(200), generation: int(), parent_provider_uuid: nullable(id()), root_provider_uuid: id(), traits: text(), created_at: big(), updated_at: big() },
      { primary: ['uuid'], unique: [['name']], index: [['parent_provider_uuid'], ['root_provider_uuid']] },
    )
    await m.createTable(
      'placement_provider_traits',
      { resource_provider_uuid: id(), trait: string(), root_provider_uuid: id() },
      { primary: ['resource_provider_uuid', 'trait'], index: [['root_provider_uuid', 'trait'], ['trait']] },
    )
    await m.createTable(
      'placement_provider_aggregates',
      { resource_provider_uuid: id(), aggregate_uuid: id(), root_provider_uuid: id() },
      { primary: ['resource_provider_uuid', 'aggregate_uuid'], index: [['aggregate_uuid', 'root_provider_uuid']] },
    )
    // The search walks one class in order of roots and looks the others up, so the key begins with them.
    await m.createTable(
      'placement_inventories',
      {
        resource_class: string(),
        root_provider_uuid: id(),
        resource_provider_uuid: id(),
        total: int(),
        reserved: int(),
        min_unit: int(),
        max_unit: int(),
        step_size: int(),
        allocation_ratio: double(),
        used: big(),
        created_at: big(),
        updated_at: big(),
      },
      { primary: ['resource_class', 'root_provider_uuid', 'resource_provider_uuid'], unique: [['resource_provider_uuid', 'resource_class']] },
    )
    await m.createTable(
      'placement_allocations',
      { consumer_uuid: id(), resource_provider_uuid: id(), resource_class: string(), used: int(), created_at: big() },
      { primary: ['consumer_uuid', 'resource_provider_uuid', 'resource_class'], index: [['resource_provider_uuid', 'resource_class', 'used']] },
    )
    await m.createTable(
      'placement_consumers',
      { uuid: id(), generation: int(), project_id: string(), user_id: string(), consumer_type: nullable(string()), created_at: big(), updated_at: big() },
      { primary: ['uuid'], index: [['project_id', 'user_id']] },
    )
    await m.createTable('placement_traits', { name: string(), created_at: big(), updated_at: big() }, { primary: ['name'] })
    await m.createTable('placement_resource_classes', { name: string(), created_at: big(), updated_at: big() }, { primary: ['name'] })
  },
}
