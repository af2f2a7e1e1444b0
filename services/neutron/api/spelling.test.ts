import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Route } from '#stack/route.ts'
import { spelling } from './spelling.ts'

it('reads either spelling of our own words, and leaves names alone', () => {
  const paths = ['/v2.0/local_ips', '/v2.0/security-groups/{id}', '/v2.0/metering/metering-labels', '/v2.0/routers/{router_id}/conntrack_helpers', '/v2.0/extensions/{alias}', '/v2.0/networks/{id}/tags/{tag}']
  const read = spelling(paths.map((path) => ({ path }) as Route))
  const cases: [string, string][] = [
    ['/v2.0/local-ips', '/v2.0/local_ips'],
    ['/v2.0/local-ips.json', '/v2.0/local_ips'],
    ['/v2.0/security_groups/x_y', '/v2.0/security-groups/x_y'],
    ['/v2.0/metering/metering_labels', '/v2.0/metering/metering-labels'],
    ['/v2.0/routers/r/conntrack-helpers', '/v2.0/routers/r/conntrack_helpers'],
    ['/v2.0/extensions/local-ips', '/v2.0/extensions/local-ips'],
    ['/v2.0/networks/n/tags/local-ips', '/v2.0/networks/n/tags/local-ips'],
    ['/', '/'],
  ]
  for (const [given, wanted] of cases) assert.equal(read(given), wanted, given)
})
