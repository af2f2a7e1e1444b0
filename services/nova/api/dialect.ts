/** How Nova speaks: `{"itemNotFound": {"code": 404, "message": …}}`, microversions in two headers, shape before right. */
import type { Dialect } from '#stack/dialect.ts'
import { JSON_HEADERS } from '#stack/dialect.ts'
import { COMPUTE_VERSIONS } from '../core/versions.ts'

const NAMES: Readonly<Record<number, string>> = {
  400: 'badRequest', 401: 'unauthorized', 403: 'forbidden', 404: 'itemNotFound', 405: 'badMethod', 409: 'conflictingRequest', 413: 'overLimit', 415: 'badMediaType', 429: 'overLimit', 501: 'notImplemented', 503: 'serviceUnavailable',
}

export const computeDialect: Dialect = {
  service: 'nova',
  serviceType: 'compute',
  versions: COMPUTE_VERSIONS,
  requestIdHeaders: ['x-compute-request-id'],
  order: 'validate-first',
  slashMatters: true,
  maxBody: 1_048_576,
  errorBody: (fault, status) => ({ headers: { ...JSON_HEADERS }, body: JSON.stringify({ [NAMES[status] ?? 'computeFault']: { code: status, message: fault.message } }) }),
}
