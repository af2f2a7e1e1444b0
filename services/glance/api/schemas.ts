/** JSON Schemas of what Glance shows, for clients that build themselves from them. */
import { type Route, route } from '#stack/route.ts'
import { CONTAINER_FORMATS, DISK_FORMATS } from './image-fields.ts'

type Json = Record<string, unknown>

const text = (description: string, more: Json = {}): Json => ({ type: 'string', description, ...more })
const orNull = (description: string, more: Json = {}): Json => ({ type: ['null', 'string'], description, ...more })
const shown = (schema: Json): Json => ({ ...schema, readOnly: true })
const UUID = '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$'

const link = (rel: string, href: string): Json => ({ rel, href })
const SELF = shown(text('The URL of this resource.'))
const SCHEMA = shown(text('The URL of the schema of this resource.'))
const CREATED = shown(text('Date and time of its creation', { format: 'date-time' }))
const UPDATED = shown(text('Date and time of its last change', { format: 'date-time' }))

const imageFields: Json = {
  id: text('An identifier for the image', { pattern: UUID }),
  name: orNull('Descriptive name for the image', { maxLength: 255 }),
  status: shown(text('Status of the image', { enum: ['queued', 'saving', 'active', 'killed', 'deleted', 'uploading', 'importing', 'pending_delete', 'deactivated'] })),
  visibility: text('Scope of image accessibility', { enum: ['community', 'public', 'private', 'shared'] }),
  protected: { type: 'boolean', description: 'If true, image will not be deletable.' },
  os_hidden: { type: 'boolean', description: 'If true, image will not appear in default image list response.' },
  checksum: shown(orNull('md5 hash of image contents.', { maxLength: 32 })),
  os_hash_algo: shown(orNull('Algorithm to calculate the os_hash_value', { maxLength: 64 })),
  os_hash_value: shown(orNull('Hexdigest of the image contents using the algorithm specified by the os_hash_algo', { maxLength: 128 })),
  owner: orNull('Owner of the image', { maxLength: 255 }),
  size: shown({ type: ['null', 'integer'], description: 'Size of image file in bytes' }),
  virtual_size: shown({ type: ['null', 'integer'], description: 'Virtual size of image in bytes' }),
  container_format: orNull('Format of the container', { enum: [null, ...CONTAINER_FORMATS.filter((one) => one !== null)] }),
  disk_format: orNull('Format of the disk', { enum: [null, ...DISK_FORMATS.filter((one) => one !== null)] }),
  created_at: shown(text('Date and time of image registration')),
  updated_at: shown(text('Date and time of the last image modification')),
  tags: { type: 'array', description: 'List of strings related to the image', items: { type: 'string', maxLength: 255 } },
  stores: shown(text('Store in which image data resides.')),
  direct_url: shown(text('URL to access the image file kept in external store')),
  min_ram: { type: 'integer', description: 'Amount of ram (in MB) required to boot image.' },
  min_disk: { type: 'integer', description: 'Amount of disk space (in GB) required to boot image.' },
  self: shown(text('An image self url')),
  file: shown(text('An image file url')),
  schema: shown(text('An image schema url')),
  locations: { type: 'array', description: 'A set of URLs to access the image file kept in external store', items: { type: 'object', required: ['url', 'metadata'], properties: { url: { type: 'string', maxLength: 255 }, metadata: { type: 'object' } } } },
  architecture: text('Operating system architecture', { is_base: false }),
  kernel_id: orNull('ID of the image to be used as the kernel when booting an AMI-style image.', { pattern: UUID, is_base: false }),
  ramdisk_id: orNull('ID of the image to be used as the ramdisk when booting an AMI-style image.', { pattern: UUID, is_base: false }),
  instance_uuid: text('Metadata which can be used to record which instance this image is associated with.', { is_base: false }),
  os_distro: text('Common name of operating system distribution', { is_base: false }),
  os_version: text('Operating system version as specified by the distributor.', { is_base: false }),
}

const image: Json = {
  name: 'image',
  properties: imageFields,
  additionalProperties: { type: 'string' },
  links: [link('self', '{self}'), link('enclosure', '{file}'), link('describedby', '{schema}')],
}

const memberFields: Json = { member_id: text('An identifier for the image member (tenantId)'), image_id: text('An identifier for the image', { pattern: UUID }), created_at: CREATED, updated_at: UPDATED, status: text('The status of this image member', { enum: ['pending', 'accepted', 'rejected'] }), schema: SCHEMA }
const member: Json = { name: 'member', properties: memberFields }

const taskFields: Json = {
  id: text('An identifier for the task', { pattern: UUID }),
  type: text('The type of task represented by this content', { enum: ['import', 'api_image_import'] }),
  status: text('The current status of this task', { enum: ['pending', 'processing', 'success', 'failure'] }),
  input: { type: ['null', 'object'], description: 'The parameters required by task, JSON blob' },
  result: { type: ['null', 'object'], description: 'The result of current task, JSON blob' },
  owner: text('An identifier for the owner of this task'),
  message: text('Human-readable informative message only included when appropriate (usually on failure)'),
  image_id: text('Image associated with the task'),
  request_id: text('Human-readable informative request-id'),
  user_id: text('User associated with the task'),
  expires_at: orNull('Datetime when this resource would be subject to removal'),
  created_at: CREATED,
  updated_at: UPDATED,
  self: SELF,
  schema: SCHEMA,
}
const task: Json = { name: 'task', properties: taskFields }

const NAME = { type: 'string', maxLength: 80 }
const propertyFields: Json = {
  name: NAME,
  title: { type: 'string' },
  description: { type: 'string' },
  type: { type: 'string', enum: ['array', 'boolean', 'integer', 'number', 'object', 'string', null] },
  operators: { type: 'array', items: { type: 'string' } },
  readonly: { type: 'boolean' },
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  maxLength: { type: 'integer', minimum: 0 },
  minLength: { type: 'integer', minimum: 0, default: 0 },
  pattern: { type: 'string', format: 'regex' },
  enum: { type: 'array' },
  default: {},
  items: { type: 'object', properties: { type: { type: 'string' }, enum: { type: 'array' } } },
  maxItems: { type: 'integer', minimum: 0 },
  minItems: { type: 'integer', minimum: 0, default: 0 },
  uniqueItems: { type: 'boolean', default: false },
  additionalItems: { type: 'boolean' },
}
const property: Json = { name: 'property', properties: propertyFields, required: ['name', 'type', 'title'], additionalProperties: false }
const objectFields: Json = { name: NAME, description: { type: 'string' }, required: { type: 'array', items: { type: 'string' } }, properties: { type: 'object', additionalProperties: { type: 'object', properties: propertyFields } }, schema: SCHEMA, self: SELF, created_at: CREATED, updated_at: UPDATED }
const object: Json = { name: 'object', properties: objectFields, required: ['name'], additionalProperties: false }
const tagFields: Json = { name: NAME, created_at: CREATED, updated_at: UPDATED }
const tag: Json = { name: 'tag', properties: tagFields, required: ['name'], additionalProperties: false }
const associationFields: Json = {
  name: { ...NAME, description: 'Resource type names should be aligned with Heat resource types whenever possible.' },
  prefix: { ...NAME, description: 'Specifies the prefix to use for the given resource type.' },
  properties_target: { ...NAME, description: 'Some resource types allow more than one key / value pair per instance.' },
  created_at: CREATED,
  updated_at: UPDATED,
}
const association: Json = { name: 'resource_type_association', properties: associationFields, required: ['name'], additionalProperties: false }
const namespaceFields: Json = {
  namespace: { ...NAME, description: 'The unique namespace text.' },
  display_name: { ...NAME, description: 'The user friendly name for the namespace. Used by UI if available.' },
  description: { type: 'string', maxLength: 500, description: 'Provides a user friendly description of the namespace.' },
  visibility: { type: 'string', enum: ['public', 'private'], description: 'Scope of namespace accessibility.' },
  protected: { type: 'boolean', description: 'If true, namespace will not be deletable.' },
  owner: { type: 'string', maxLength: 255, description: 'Owner of the namespace.' },
  created_at: CREATED,
  updated_at: UPDATED,
  schema: SCHEMA,
  self: SELF,
  resource_type_associations: { type: 'array', items: { type: 'object', properties: associationFields } },
  properties: { type: 'object', additionalProperties: { type: 'object', properties: propertyFields } },
  objects: { type: 'array', items: { type: 'object', properties: objectFields } },
  tags: { type: 'array', items: { type: 'object', properties: { name: NAME } } },
}
const namespace: Json = { name: 'namespace', properties: namespaceFields, required: ['namespace'], additionalProperties: false }

/** A page of them. */
const listOf = (name: string, one: Json): Json => ({
  name,
  properties: { [name]: { type: 'array', items: one }, first: { type: 'string' }, next: { type: 'string' }, schema: { type: 'string' } },
  links: [link('first', '{first}'), link('next', '{next}'), link('describedby', '{schema}')],
})

const SCHEMAS: Readonly<Record<string, Json>> = {
  image,
  images: listOf('images', image),
  member,
  members: { name: 'members', properties: { members: { type: 'array', items: member }, schema: { type: 'string' } }, links: [link('describedby', '{schema}')] },
  task,
  tasks: listOf('tasks', task),
  'metadefs/namespace': namespace,
  'metadefs/namespaces': listOf('namespaces', namespace),
  'metadefs/object': object,
  'metadefs/objects': listOf('objects', object),
  'metadefs/property': property,
  'metadefs/properties': { name: 'properties', properties: { properties: { type: 'object', additionalProperties: property } }, links: [link('describedby', '{schema}')] },
  'metadefs/tag': tag,
  'metadefs/tags': listOf('tags', tag),
  'metadefs/resource_type': association,
  'metadefs/resource_types': { name: 'resource_type_associations', properties: { resource_type_associations: { type: 'array', items: association } }, links: [link('describedby', '{schema}')] },
}

export const schemaRoutes: Route[] = Object.entries(SCHEMAS).map(([name, json]) => route({ method: 'GET', path: `/v2/schemas/${name}`, name: `schemas.${name.replace('/', '.')}`, status: 200, handle: () => ({ json }) }))
