/** `ondol status`. */
import { ask, placeOf } from './place.ts'
import { age, bold, paint, table } from './table.ts'

interface Status {
  url: string
  pid: number
  up_ms: number
  drivers: string
  why: string[]
  rss_mib: number
  database?: { engine: string; place: string; state: string; to?: string; phase?: string }
  flows: { live: number; failed: number }
  services: { name: string; host: string; state: string; detail: string }[]
  degraded: { what: string; todo: string }[]
}

export async function status(options: { data?: string; json?: boolean }): Promise<void> {
  const place = placeOf(options.data)
  const found = (await ask(place, 'GET', '/status')) as Status
  if (options.json) {
    process.stdout.write(`${JSON.stringify(found, null, 2)}\n`)
    return
  }
  process.stdout.write(`${paint(found.degraded.length === 0 ? 'green' : 'yellow', '●')} ${bold(found.url)}  up ${age(found.up_ms)}, process ${found.pid}, ${found.rss_mib} MiB, drivers: ${found.drivers}\n`)
  for (const line of found.why) process.stdout.write(`  ${line}\n`)
  if (found.database) process.stdout.write(`  database: ${found.database.place}${found.database.state === 'moving' ? `, on its way to ${found.database.to} (${found.database.phase})` : ''}\n`)
  process.stdout.write(`  ${found.flows.live} operations under way, ${found.flows.failed} failed in the last hour (./ondol operations)\n\n`)
  process.stdout.write(table(['SERVICE', 'HOST', 'STATE', 'DETAIL'], found.services.map((one) => [one.name, one.host, one.state, one.detail])))
  if (found.degraded.length === 0) process.stdout.write('\nNothing is degraded.\n')
  for (const one of found.degraded) process.stdout.write(`\n${paint('yellow', '▲')} ${one.what}\n  ${one.todo}\n`)
}
