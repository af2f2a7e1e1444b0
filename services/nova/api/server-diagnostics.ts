/** Counters of a running guest: one shape for every driver from 2.48; before, whatever the driver had. */
import { conflict, isFault } from '#base/fault.ts'
import { route, type Route } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Diagnostics } from '#nova/drivers/interface.ts'
import { callCompute } from '../flows/computes.ts'
import type { Nova } from '../house.ts'
import { authorizedServer } from './server-steps.ts'

export function serverDiagnosticsRoutes(nova: Nova): Route[] {
  return [
    route({
      method: 'GET', path: '/v2.1/servers/{server_id}/diagnostics', name: 'diagnostics.show', status: 200,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-server-diagnostics')
        if (server.host_id === null) throw conflict(`Instance ${server.id} is not ready`)
        const diagnostics = await callCompute(nova, server.host_id, 'diagnostics', { server_id: server.id }, { wait: 0 }).catch((thrown: unknown) => {
          if (isFault(thrown, 'not_found')) throw conflict(`Instance ${server.id} is not ready`, { cause: thrown })
          throw thrown
        })
        // The schema of the API knows the drivers of Nova only; libvirt's is the one whose guests ours resemble.
        return { json: rq.version >= v('2.48') ? { ...diagnostics, driver: 'libvirt' } : flat(diagnostics) }
      },
    }),
  ]
}

function flat(diagnostics: Diagnostics): Record<string, number> {
  const out: Record<string, number> = { memory: diagnostics.memory_details.maximum * 1_024 }
  diagnostics.cpu_details.forEach((cpu, i) => (out[`cpu${i}_time`] = cpu.time ?? 0))
  diagnostics.disk_details.forEach((disk, i) => {
    const name = `vd${String.fromCodePoint(97 + i)}`
    Object.assign(out, { [`${name}_errors`]: disk.errors_count, [`${name}_read`]: disk.read_bytes, [`${name}_read_req`]: disk.read_requests, [`${name}_write`]: disk.write_bytes, [`${name}_write_req`]: disk.write_requests })
  })
  diagnostics.nic_details.forEach((nic, i) => {
    Object.assign(out, { [`vnet${i}_rx`]: nic.rx_octets, [`vnet${i}_rx_drop`]: nic.rx_drop, [`vnet${i}_rx_errors`]: nic.rx_errors, [`vnet${i}_rx_packets`]: nic.rx_packets })
    Object.assign(out, { [`vnet${i}_tx`]: nic.tx_octets, [`vnet${i}_tx_drop`]: nic.tx_drop, [`vnet${i}_tx_errors`]: nic.tx_errors, [`vnet${i}_tx_packets`]: nic.tx_packets })
  })
  return out
}
