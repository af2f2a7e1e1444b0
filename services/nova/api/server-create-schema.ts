/** The body of `POST /servers` at every version, from one description. */
import type { Schema } from '#stack/schema.ts'
import { byVersion, type Versioned, v } from '#stack/version.ts'
import { adminPass, description, deviceTag, diskConfig, flag, fqdnText, hostnameText, imageRef, ipv4Text, ipv6Text, metadataObject, nameText, object, personality, tagText, text255, uuidText } from './schemas.ts'

const whole: Schema = { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'string', pattern: '^[1-9][0-9]*$' }] }
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] })
const size: Schema = { anyOf: [{ type: 'integer', minimum: 0, maximum: 2_147_483_647 }, { type: 'string', pattern: '^[0-9]*$' }, { type: 'null' }] }

function device(version: number): Schema {
  return object({
    source_type: { enum: ['volume', 'image', 'snapshot', 'blank'] },
    destination_type: { enum: ['volume', 'local'] },
    uuid: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._-]*$' },
    image_id: text255, volume_id: uuidText, snapshot_id: uuidText, virtual_name: text255,
    volume_size: size,
    boot_index: { anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^(-?[0-9]+|None|)$' }, { type: 'null' }] },
    device_name: { type: ['string', 'null'], maxLength: 255, pattern: '^[a-zA-Z0-9._/-]*$' },
    device_type: { type: ['string', 'null'], maxLength: 255 },
    disk_bus: { type: ['string', 'null'], maxLength: 255 },
    guest_format: { type: ['string', 'null'], maxLength: 255 },
    delete_on_termination: flag,
    no_device: { anyOf: [flag, { type: 'null' }, { const: '' }] },
    connection_info: {},
    ...(tagsAt(version) ? { tag: deviceTag } : {}),
    ...(version >= v('2.67') ? { volume_type: { type: ['string', 'null'], maxLength: 255 } } : {}),
  })
}

/** Device tags came, went and came again. */
const tagsAt = (version: number): boolean => (version >= v('2.32') && version < v('2.37')) || version >= v('2.42')
const nicTagsAt = (version: number): boolean => (version >= v('2.32') && version <= v('2.36')) || version >= v('2.42')

function networks(version: number): Schema {
  const one = object({ fixed_ip: { type: 'string', pattern: '^[0-9a-fA-F:.]+$' }, port: orNull(uuidText), uuid: version >= v('2.37') ? uuidText : { type: 'string' }, ...(nicTagsAt(version) ? { tag: deviceTag } : {}) })
  const list: Schema = { type: 'array', items: one }
  return version >= v('2.37') ? { anyOf: [list, { enum: ['none', 'auto'] }] } : list
}

const hints = object(
  {
    group: uuidText, different_host: { anyOf: [uuidText, { type: 'array', items: uuidText }] }, same_host: { anyOf: [uuidText, { type: 'array', items: uuidText }] },
    query: {}, target_cell: {}, different_cell: {}, build_near_host_ip: { type: 'string', pattern: '^[0-9a-fA-F:.]+$' }, cidr: { type: 'string', pattern: '^/[0-9a-fA-F:.]+$' },
  },
  [],
  true,
)

function schema(version: number): Schema {
  const at = (since: `${number}.${number}`): boolean => version >= v(since)
  const server = object(
    {
      name: nameText,
      imageRef: { anyOf: [imageRef, { type: 'string', pattern: '^https?://' }] },
      flavorRef: { type: ['string', 'integer'], ...{ minLength: 1 } },
      adminPass,
      metadata: metadataObject,
      networks: networks(version),
      'OS-DCF:diskConfig': diskConfig,
      accessIPv4: ipv4Text,
      accessIPv6: ipv6Text,
      availability_zone: { type: 'string', minLength: 1, maxLength: 255 },
      block_device_mapping: { type: 'array', items: device(version) },
      block_device_mapping_v2: { type: 'array', items: device(version) },
      config_drive: { anyOf: [flag, { enum: ['', null] }] },
      key_name: { type: 'string', minLength: 1, maxLength: 255 },
      min_count: whole,
      max_count: whole,
      return_reservation_id: flag,
      security_groups: { type: 'array', items: object({ name: { type: 'string', minLength: 1, maxLength: 255 } }, [], true) },
      user_data: { type: ['string', 'null'], maxLength: 65_535 },
      ...(at('2.57') ? {} : { personality }),
      ...(at('2.19') ? { description } : {}),
      ...(at('2.52') ? { tags: { type: 'array', items: tagText, maxItems: 50, uniqueItems: true } } : {}),
      ...(at('2.63') ? { trusted_image_certificates: { anyOf: [{ type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1, maxItems: 50, uniqueItems: true }, { type: 'null' }] } } : {}),
      ...(at('2.74') ? { host: { type: 'string', minLength: 1, maxLength: 255 }, hypervisor_hostname: { type: 'string', minLength: 1, maxLength: 255 } } : {}),
      ...(at('2.94') ? { hostname: fqdnText } : at('2.90') ? { hostname: hostnameText } : {}),
    },
    ['name', 'flavorRef', ...(at('2.37') ? ['networks'] : [])],
  )
  return object({ server, 'os:scheduler_hints': hints, 'OS-SCH-HNT:scheduler_hints': hints }, ['server'])
}

const STEPS = ['2.1', '2.19', '2.32', '2.37', '2.42', '2.52', '2.57', '2.63', '2.67', '2.74', '2.90', '2.94'] as const

export const serverCreateSchema: Versioned<Schema> = byVersion(Object.fromEntries(STEPS.map((step) => [step, schema(v(step))])))
