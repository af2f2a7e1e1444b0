/**
 * Measures Placement alone on SQLite: `node tools/bench-placement.ts [providers]`. Prints CPU and wall time per operation; the figures
 * that matter stand beside their targets.
 */
import { type HttpResponse, splitTarget } from '#base/http/message.ts'
import { placementWire, type Wire } from '#placement/test/wire.ts'

const count = Number(process.argv[2] ?? 10_000)
const TRAITS = ['HW_CPU_X86_AVX', 'HW_CPU_X86_AVX2', 'COMPUTE_NODE', 'COMPUTE_VOLUME_EXTEND', 'COMPUTE_DEVICE_TAGGING', 'COMPUTE_IMAGE_TYPE_QCOW2', 'COMPUTE_IMAGE_TYPE_RAW', 'COMPUTE_ACCELERATORS']

async function fill(wire: Wire): Promise<string[]> {
  const uuids = Array.from({ length: count }, () => wire.kit.world.random.uuid())
  const db = wire.kit.db.as<import('#placement/store/tables.ts').PlacementTables>()
  await db.transaction(async (tx) => {
    for (const [i, uuid] of uuids.entries()) {
      await tx.query.insertInto('placement_providers').values({ uuid, name: `host-${i}`, generation: 1, parent_provider_uuid: null, root_provider_uuid: uuid, traits: JSON.stringify(TRAITS), created_at: i, updated_at: i }).execute()
      await tx.query.insertInto('placement_provider_traits').values(TRAITS.map((trait) => ({ resource_provider_uuid: uuid, trait, root_provider_uuid: uuid }))).execute()
      const stock = (resource_class: string, total: number) => ({ resource_class, total, root_provider_uuid: uuid, resource_provider_uuid: uuid, reserved: 0, min_unit: 1, max_unit: total, step_size: 1, allocation_ratio: 1, used: 0, created_at: i, updated_at: i })
      await tx.query.insertInto('placement_inventories').values([stock('VCPU', 64), stock('MEMORY_MB', 262_144), stock('DISK_GB', 2000)]).execute()
    }
  })
  return uuids
}

async function measure(name: string, times: number, target: string, work: (i: number) => Promise<HttpResponse>): Promise<void> {
  for (let i = 0; i < Math.min(10, times); i++) await work(i)
  const walls: number[] = []
  const cpu = process.cpuUsage()
  for (let i = 0; i < times; i++) {
    const began = performance.now()
    const answer = await work(i + 10)
    walls.push(performance.now() - began)
    if (answer.status >= 300) throw new Error(`${name}: ${answer.status} ${String(answer.body).slice(0, 300)}`)
  }
  const { user, system } = process.cpuUsage(cpu)
  walls.sort((a, b) => a - b)
  const at = (share: number): string => walls[Math.min(walls.length - 1, Math.floor(walls.length * share))]!.toFixed(3)
  console.log(`${name.padEnd(44)} cpu ${((user + system) / 1000 / times).toFixed(3)} ms  p50 ${at(0.5)}  p99 ${at(0.99)} ms   ${target}`)
}

const wire = await placementWire()
const uuids = await fill(wire)
console.log(`${count} providers`)
/** Straight to the door, so that reading the answer is not measured. */
const ask = (method: string, target: string, body?: unknown): Promise<HttpResponse> => {
  const { path, query } = splitTarget(target)
  const headers = { host: 'bench', 'x-auth-token': 'persona:admin', 'openstack-api-version': 'placement 1.39', 'content-type': 'application/json' }
  return wire.handler({ method, path, query, headers, body: body === undefined ? undefined : JSON.stringify(body), origin: 'http://bench', remote: 'local' })
}
const get = (target: string) => () => ask('GET', target)
const NOVA = '/allocation_candidates?resources=VCPU:1,MEMORY_MB:512,DISK_GB:10&required=COMPUTE_IMAGE_TYPE_QCOW2&root_required=!COMPUTE_STATUS_DISABLED'
await measure('GET /traits/{name}', 2000, '', get('/traits/COMPUTE_NODE'))
await measure('GET /resource_providers/{uuid}', 2000, 'cpu < 0.1 of our own', (i) => ask('GET', `/resource_providers/${uuids[i]}`))
await measure('GET …/inventories', 2000, '', (i) => ask('GET', `/resource_providers/${uuids[i]}/inventories`))
await measure('PUT /allocations/{consumer}', 1000, 'cpu < 1', (i) =>
  ask('PUT', `/allocations/${wire.kit.world.random.uuid()}`, {
    allocations: { [uuids[i % 500]!]: { resources: { VCPU: 1, MEMORY_MB: 512, DISK_GB: 10 } } },
    project_id: 'p',
    user_id: 'u',
    consumer_generation: null,
    consumer_type: 'INSTANCE',
  }),
)
await measure('candidates, limit 10', 300, 'p99 < 20', get(`${NOVA}&limit=10`))
await measure('candidates, limit 100', 200, 'p99 < 20', get(`${NOVA}&limit=100`))
await measure('candidates, limit 1000', 100, 'p99 < 20', get(`${NOVA}&limit=1000`))
await measure('candidates, nowhere room, limit 1000', 100, 'p99 < 20', get('/allocation_candidates?resources=VCPU:1,MEMORY_MB:512,DISK_GB:2001&limit=1000'))
await measure('candidates, all', 5, '', get(NOVA))
await wire.close()
