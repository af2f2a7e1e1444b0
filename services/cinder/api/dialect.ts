/** How Cinder speaks: one key names the error, microversions 3.0 to 3.71 of `volume`. */
import type { Dialect } from '#stack/dialect.ts'
import { v } from '#stack/version.ts'

const NAMES: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  501: 'notImplemented',
  503: 'serviceUnavailable',
}

export const dialect: Dialect = {
  service: 'cinder',
  serviceType: 'block-storage',
  // gophercloud, and so Terraform, name the type of the catalog.
  versions: { type: 'volume', also: ['volumev3', 'volumev2', 'block-storage'], min: v('3.0'), max: v('3.71') },
  requestIdHeaders: ['x-compute-request-id'],
  order: 'validate-first',
  maxBody: 114_688,
  status: { over_quota: 413 },
  errorBody(fault, status) {
    const inner = { code: status, message: fault.message, ...(status === 413 ? { retryAfter: '0' } : {}) }
    return { headers: { 'content-type': 'application/json', ...(status === 413 ? { 'retry-after': '0' } : {}) }, body: JSON.stringify({ [NAMES[status] ?? 'computeFault']: inner }) }
  },
}
