/** `code` of an error, from 1.23 on. Clients act on these, so they never change. */

export const UNDEFINED_CODE = 'placement.undefined_code'
/** A generation no longer holds: read again and try again. */
export const CONCURRENT_UPDATE = 'placement.concurrent_update'
export const INVENTORY_IN_USE = 'placement.inventory.inuse'
export const DUPLICATE_NAME = 'placement.duplicate_name'
export const PROVIDER_IN_USE = 'placement.resource_provider.inuse'
export const PROVIDER_CANNOT_DELETE_PARENT = 'placement.resource_provider.cannot_delete_parent'
export const PROVIDER_NOT_FOUND = 'placement.resource_provider.not_found'
export const QUERY_DUPLICATE_KEY = 'placement.query.duplicate_key'
export const QUERY_BAD_VALUE = 'placement.query.bad_value'
export const QUERY_MISSING_VALUE = 'placement.query.missing_value'
