/**
 * One schedule decision over many hosts, whole: Placement's candidates through its door, filters, weighers, and the claim. Alone in its
 * process: `node tools/bench/schedule.ts [hosts] [decisions]` prints one line of JSON.
 */
import { claim } from '#nova/flows/claims.ts'
import { placeServer } from '#nova/flows/scheduling.ts'
import { serverById } from '#nova/store/servers.ts'
import type { FlavorSnapshot } from '#nova/store/tables.ts'
import { novaKit } from '#nova/test/kit.ts'

const hosts = Number(process.argv[2] ?? 10_000)
const decisions = Number(process.argv[3] ?? 500)
const kit = await novaKit({ hosts })
try {
  const id = await kit.boot()
  const server = (await serverById(kit.nova.db, id))!
  const flavor = JSON.parse(server.flavor) as FlavorSnapshot
  const times: number[] = []
  const cpu: number[] = []
  const places = new Set<string>()
  for (let i = 0; i < decisions + 20; i++) {
    const one = { ...server, id: kit.kit.world.random.uuid() }
    const before = process.cpuUsage()
    const began = performance.now()
    const place = await placeServer(kit.nova, { server: one, flavor, on_volume: false, ignore: [] }, (_at, allocations) => claim(kit.nova, one.id, one, allocations, true))
    const ms = performance.now() - began
    const { user, system } = process.cpuUsage(before)
    places.add(place.host_id)
    // The first ones are spent on compiling.
    if (i < 20) continue
    times.push(ms)
    cpu.push((user + system) / 1000)
  }
  times.sort((a, b) => a - b)
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))]!
  process.stdout.write(`${JSON.stringify({ hosts, decisions, places: places.size, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: times.at(-1), cpu_ms: cpu.reduce((sum, one) => sum + one, 0) / cpu.length })}\n`)
} finally {
  await kit.close()
}
