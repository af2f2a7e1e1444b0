/** Placement's door plate: how it speaks, and every operation it has, in one list. */
import { TITLES, JSON_HEADERS, type Dialect } from '#stack/dialect.ts'
import type { Route } from '#stack/route.ts'
import type { ServicePlate } from '#stack/service.ts'
import { byVersion, v } from '#stack/version.ts'
import { listAggregates, replaceAggregates } from './api/aggregates.ts'
import { listAllocationCandidates } from './api/allocation-candidates.ts'
import { deleteAllocations, listAllocations, listProviderAllocations, replaceAllocations, replaceManyAllocations } from './api/allocations.ts'
import { clearInventories, createInventory, deleteInventory, listInventories, refuseClear, replaceInventories, showInventory, updateInventory } from './api/inventories.ts'
import { reshape } from './api/reshaper.ts'
import { createResourceClass, deleteResourceClass, ensureResourceClass, listResourceClasses, renameResourceClass, showResourceClass } from './api/resource-classes.ts'
import { createProvider, deleteProvider, listProviders, showProvider, updateProvider } from './api/resource-providers.ts'
import { MAX_VERSION, MIN_VERSION, showVersions } from './api/root.ts'
import { clearProviderTraits, deleteTrait, ensureTrait, listProviderTraits, listTraits, replaceProviderTraits, showTrait } from './api/traits.ts'
import { listProjectUsages, listProviderUsages } from './api/usages.ts'
import { bodyWording, queryWording } from './api/wording.ts'
import { aggregatesUpdate } from './contract/aggregates.ts'
import { candidateQuery } from './contract/allocation-candidates.ts'
import { allocationsCreate, allocationsUpdate } from './contract/allocations.ts'
import { UNDEFINED_CODE } from './contract/codes.ts'
import { inventoriesUpdate, inventoryCreate, inventoryUpdate } from './contract/inventories.ts'
import { reshapeBody } from './contract/reshaper.ts'
import { resourceClassName } from './contract/resource-classes.ts'
import { providerCreate, providerQuery, providerUpdate } from './contract/resource-providers.ts'
import { providerTraitsUpdate, traitQuery } from './contract/traits.ts'
import type { Placement } from './house.ts'
import { initial } from './store/migrations/0001-initial.ts'

export function routesOf(house: Placement): Route[] {
  const providers = '/resource_providers'
  const one = '/resource_providers/{uuid}'
  return [
    { method: 'GET', path: '/', name: 'versions.show', access: 'public', status: 200, handle: showVersions(house) },

    { method: 'GET', path: providers, name: 'providers.list', policy: 'placement:resource_providers:list', query: providerQuery, status: 200, handle: listProviders(house) },
    { method: 'POST', path: providers, name: 'providers.create', policy: 'placement:resource_providers:create', body: providerCreate, status: byVersion({ '1.0': 201, '1.20': 200 }), handle: createProvider(house) },
    { method: 'GET', path: one, name: 'providers.show', policy: 'placement:resource_providers:show', status: 200, handle: showProvider(house) },
    { method: 'PUT', path: one, name: 'providers.update', policy: 'placement:resource_providers:update', body: providerUpdate, status: 200, handle: updateProvider(house) },
    { method: 'DELETE', path: one, name: 'providers.delete', policy: 'placement:resource_providers:delete', status: 204, handle: deleteProvider(house) },

    { method: 'GET', path: `${one}/inventories`, name: 'inventories.list', policy: 'placement:resource_providers:inventories:list', status: 200, handle: listInventories(house) },
    { method: 'POST', path: `${one}/inventories`, name: 'inventories.create', policy: 'placement:resource_providers:inventories:create', body: inventoryCreate, status: 201, handle: createInventory(house) },
    { method: 'PUT', path: `${one}/inventories`, name: 'inventories.replace', policy: 'placement:resource_providers:inventories:update', body: inventoriesUpdate, status: 200, handle: replaceInventories(house) },
    { method: 'DELETE', path: `${one}/inventories`, name: 'inventories.clear', policy: 'placement:resource_providers:inventories:delete', since: v('1.5'), status: 204, handle: clearInventories(house) },
    { method: 'DELETE', path: `${one}/inventories`, name: 'inventories.refuse-clear', until: v('1.4'), status: 405, handle: refuseClear },
    { method: 'GET', path: `${one}/inventories/{resource_class}`, name: 'inventories.show', policy: 'placement:resource_providers:inventories:show', status: 200, handle: showInventory(house) },
    { method: 'PUT', path: `${one}/inventories/{resource_class}`, name: 'inventories.update', policy: 'placement:resource_providers:inventories:update', body: inventoryUpdate, status: 200, handle: updateInventory(house) },
    { method: 'DELETE', path: `${one}/inventories/{resource_class}`, name: 'inventories.delete', policy: 'placement:resource_providers:inventories:delete', status: 204, handle: deleteInventory(house) },

    { method: 'GET', path: `${one}/aggregates`, name: 'aggregates.list', policy: 'placement:resource_providers:aggregates:list', since: v('1.1'), status: 200, handle: listAggregates(house) },
    { method: 'PUT', path: `${one}/aggregates`, name: 'aggregates.replace', policy: 'placement:resource_providers:aggregates:update', since: v('1.1'), body: aggregatesUpdate, status: 200, handle: replaceAggregates(house) },
    { method: 'GET', path: `${one}/traits`, name: 'provider-traits.list', policy: 'placement:resource_providers:traits:list', since: v('1.6'), status: 200, handle: listProviderTraits(house) },
    { method: 'PUT', path: `${one}/traits`, name: 'provider-traits.replace', policy: 'placement:resource_providers:traits:update', since: v('1.6'), body: providerTraitsUpdate, status: 200, handle: replaceProviderTraits(house) },
    { method: 'DELETE', path: `${one}/traits`, name: 'provider-traits.clear', policy: 'placement:resource_providers:traits:delete', since: v('1.6'), status: 204, handle: clearProviderTraits(house) },
    { method: 'GET', path: `${one}/usages`, name: 'provider-usages.list', policy: 'placement:resource_providers:usages', status: 200, handle: listProviderUsages(house) },
    { method: 'GET', path: `${one}/allocations`, name: 'provider-allocations.list', policy: 'placement:resource_providers:allocations:list', status: 200, handle: listProviderAllocations(house) },

    { method: 'GET', path: '/traits', name: 'traits.list', policy: 'placement:traits:list', since: v('1.6'), query: traitQuery, status: 200, handle: listTraits(house) },
    { method: 'GET', path: '/traits/{name}', name: 'traits.show', policy: 'placement:traits:show', since: v('1.6'), status: 204, handle: showTrait(house) },
    { method: 'PUT', path: '/traits/{name}', name: 'traits.ensure', policy: 'placement:traits:update', since: v('1.6'), bodyKind: 'none', status: byVersion({ '1.6': 201 }), handle: ensureTrait(house) },
    { method: 'DELETE', path: '/traits/{name}', name: 'traits.delete', policy: 'placement:traits:delete', since: v('1.6'), status: 204, handle: deleteTrait(house) },

    { method: 'GET', path: '/resource_classes', name: 'classes.list', policy: 'placement:resource_classes:list', since: v('1.2'), status: 200, handle: listResourceClasses(house) },
    { method: 'POST', path: '/resource_classes', name: 'classes.create', policy: 'placement:resource_classes:create', since: v('1.2'), body: resourceClassName, status: 201, handle: createResourceClass(house) },
    { method: 'GET', path: '/resource_classes/{name}', name: 'classes.show', policy: 'placement:resource_classes:show', since: v('1.2'), status: 200, handle: showResourceClass(house) },
    { method: 'PUT', path: '/resource_classes/{name}', name: 'classes.rename', policy: 'placement:resource_classes:update', since: v('1.2'), until: v('1.6'), body: resourceClassName, status: 200, handle: renameResourceClass(house) },
    { method: 'PUT', path: '/resource_classes/{name}', name: 'classes.ensure', policy: 'placement:resource_classes:update', since: v('1.7'), bodyKind: 'none', status: 201, handle: ensureResourceClass(house) },
    { method: 'DELETE', path: '/resource_classes/{name}', name: 'classes.delete', policy: 'placement:resource_classes:delete', since: v('1.2'), status: 204, handle: deleteResourceClass(house) },

    { method: 'GET', path: '/allocation_candidates', name: 'candidates.list', policy: 'placement:allocation_candidates:list', since: v('1.10'), query: candidateQuery, status: 200, handle: listAllocationCandidates(house) },
    { method: 'POST', path: '/allocations', name: 'allocations.replace-many', policy: 'placement:allocations:manage', since: v('1.13'), body: allocationsCreate, status: 204, handle: replaceManyAllocations(house) },
    { method: 'GET', path: '/allocations/{consumer_uuid}', name: 'allocations.list', policy: 'placement:allocations:list', status: 200, handle: listAllocations(house) },
    { method: 'PUT', path: '/allocations/{consumer_uuid}', name: 'allocations.replace', policy: 'placement:allocations:update', body: allocationsUpdate, status: 204, handle: replaceAllocations(house) },
    { method: 'DELETE', path: '/allocations/{consumer_uuid}', name: 'allocations.delete', policy: 'placement:allocations:delete', status: 204, handle: deleteAllocations(house) },
    { method: 'POST', path: '/reshaper', name: 'reshaper.reshape', policy: 'placement:reshaper:reshape', since: v('1.30'), body: reshapeBody, status: 204, handle: reshape(house) },
    { method: 'GET', path: '/usages', name: 'project-usages.list', since: v('1.9'), status: 200, handle: listProjectUsages(house) },
  ]
}

/** The first line of an error's detail, by status; the second says what was wrong. */
const EXPLANATIONS: Readonly<Record<number, string>> = {
  400: 'The server could not comply with the request since it is either malformed or otherwise incorrect.',
  401: 'This server could not verify that you are authorized to access the document you requested.',
  403: 'Access was denied to this resource.',
  404: 'The resource could not be found.',
  406: 'The resource could not be generated that was acceptable to your browser.',
  409: 'There was a conflict when trying to complete your request.',
  415: 'The request media type is not supported by this server.',
}

export const dialect: Dialect = {
  service: 'placement',
  serviceType: 'placement',
  versions: { type: 'placement', min: MIN_VERSION, max: MAX_VERSION },
  order: 'authorize-first',
  maxBody: 16 * 2 ** 20,
  strictMedia: true,
  schemaError: bodyWording,
  queryError: queryWording,
  headers: () => ({ vary: 'openstack-api-version' }),
  errorBody(fault, status, request_id, _request, version) {
    const { asked, min_version, max_version } = fault.data
    const message = asked === undefined ? fault.message : `Unacceptable version header: ${String(asked)}`
    const explanation = EXPLANATIONS[status]
    const detail = explanation === undefined || explanation === message ? message : `${explanation}\n\n ${message}  `
    const error = {
      status,
      title: TITLES[status] ?? 'Error',
      detail,
      ...(version >= v('1.23') ? { code: codeOf(fault.code) } : {}),
      request_id,
      ...(asked === undefined ? {} : { max_version, min_version }),
    }
    return { headers: { ...JSON_HEADERS }, body: JSON.stringify({ errors: [error] }) }
  },
}

/** Only codes of this service go out. */
function codeOf(code: string | undefined): string {
  return code?.startsWith('placement.') ? code : UNDEFINED_CODE
}

export const plate: ServicePlate = {
  name: 'placement',
  type: 'placement',
  mount: '/placement',
  catalogPath: '',
  dialect,
  migrations: { house: 'placement', migrations: [initial] },
}
