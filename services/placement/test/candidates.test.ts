/** The search: what it finds, that it can be claimed, and that it does not read the whole cloud for it. */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { type Random, seededRandom } from '#base/random.ts'
import { v } from '#stack/version.ts'
import { type CandidateRequest, candidateRequest } from '../core/candidate-request.ts'
import { type Anchor, type Candidate, candidateKey, type MatchPlan, matchPlan, visitCandidates } from '../core/matching.ts'
import { anchors } from '../store/anchors.ts'
import { placementWire, type Wire } from './wire.ts'

const A = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'
const B = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'
let wire: Wire
const names = new Map<string, string>()
before(async () => void (wire = await placementWire()))
after(() => wire.close())

/** A fresh cloud for each test: providers of an earlier one would be found too. */
afterEach(async () => {
  await wire.close()
  wire = await placementWire()
  names.clear()
})

async function provider(name: string, wish: Omit<Parameters<Wire['provider']>[0], 'name'> = {}): Promise<string> {
  const uuid = await wire.provider({ name, ...wish })
  names.set(uuid, name)
  return uuid
}

/** Candidates as `host:VCPU=1,MEMORY_MB=64 disk:DISK_GB=5`, sorted. */
async function found(query: string, version = '1.39'): Promise<string[]> {
  const answer = await wire.call('GET', `/allocation_candidates?${query}`, { version })
  assert.equal(answer.status, 200, answer.text)
  return answer.json.allocation_requests
    .map((one: { allocations: Record<string, { resources: Record<string, number> }> }) =>
      Object.entries(one.allocations)
        .map(([uuid, { resources }]) => `${names.get(uuid)}:${Object.entries(resources).map(([name, amount]) => `${name}=${amount}`).sort().join()}`)
        .sort()
        .join(' '),
    )
    .sort()
}

test('providers of a tree satisfy the unsuffixed group together, a suffixed one alone', async () => {
  const host = await provider('host', { inventories: { VCPU: 8, MEMORY_MB: 512 } })
  for (const name of ['pf0', 'pf1']) await provider(name, { parent: host, inventories: { SRIOV_NET_VF: 2 }, traits: name === 'pf1' ? ['CUSTOM_FAST'] : [] })
  assert.deepEqual(await found('resources=VCPU:1,SRIOV_NET_VF:1'), ['host:VCPU=1 pf0:SRIOV_NET_VF=1', 'host:VCPU=1 pf1:SRIOV_NET_VF=1'])
  assert.deepEqual(await found('resources=VCPU:1,SRIOV_NET_VF:1', '1.28'), [], 'before 1.29 a candidate takes one provider of a tree')
  assert.deepEqual(await found('resources=VCPU:1,SRIOV_NET_VF:1&required=CUSTOM_FAST'), ['host:VCPU=1 pf1:SRIOV_NET_VF=1'])
  assert.deepEqual(await found('resources1=VCPU:1,SRIOV_NET_VF:1'), [])
  assert.deepEqual(await found('resources=VCPU:1&resources1=SRIOV_NET_VF:1&required1=!CUSTOM_FAST'), ['host:VCPU=1 pf0:SRIOV_NET_VF=1'])
})

test('group_policy, and amounts of groups that meet on one provider', async () => {
  const host = await provider('host', { inventories: { VCPU: 8 } })
  for (const name of ['pf0', 'pf1']) await provider(name, { parent: host, inventories: { SRIOV_NET_VF: 2 } })
  const two = 'resources=VCPU:1&resources1=SRIOV_NET_VF:1&resources2=SRIOV_NET_VF:2'
  assert.equal((await wire.call('GET', `/allocation_candidates?${two}`)).status, 400)
  const apart = ['host:VCPU=1 pf0:SRIOV_NET_VF=1 pf1:SRIOV_NET_VF=2', 'host:VCPU=1 pf0:SRIOV_NET_VF=2 pf1:SRIOV_NET_VF=1']
  assert.deepEqual(await found(`${two}&group_policy=none`), apart, 'three on one would be too many')
  assert.deepEqual(await found(`${two}&group_policy=isolate`), apart)
  assert.deepEqual((await found('resources=VCPU:1&resources1=SRIOV_NET_VF:1&resources2=SRIOV_NET_VF:1&group_policy=none')).length, 4)
  assert.deepEqual((await found('resources=VCPU:1&resources1=SRIOV_NET_VF:1&resources2=SRIOV_NET_VF:1&group_policy=isolate')).length, 2)
})

test('a sharing provider serves every tree that has one of its aggregates, once', async () => {
  await provider('near', { inventories: { VCPU: 8 }, aggregates: [A] })
  await provider('far', { inventories: { VCPU: 8 }, aggregates: [B] })
  await provider('own', { inventories: { VCPU: 8, DISK_GB: 50 }, aggregates: [A] })
  await provider('share', { inventories: { DISK_GB: 1000 }, aggregates: [A], traits: ['MISC_SHARES_VIA_AGGREGATE'] })
  assert.deepEqual(await found('resources=VCPU:1,DISK_GB:10'), ['near:VCPU=1 share:DISK_GB=10', 'own:DISK_GB=10,VCPU=1', 'own:VCPU=1 share:DISK_GB=10'])
  assert.deepEqual(await found('resources=DISK_GB:10'), ['own:DISK_GB=10', 'share:DISK_GB=10'])
  assert.deepEqual(await found('resources=VCPU:1&resources1=DISK_GB:100'), ['near:VCPU=1 share:DISK_GB=100', 'own:VCPU=1 share:DISK_GB=100'])
})

test('member_of, in_tree and root_required', async () => {
  const host = await provider('host', { inventories: { VCPU: 8 }, aggregates: [A], traits: ['COMPUTE_NODE'] })
  const child = await provider('child', { parent: host, inventories: { VGPU: 1 } })
  await provider('other', { inventories: { VCPU: 8, VGPU: 1 }, aggregates: [B] })
  assert.deepEqual(await found(`resources=VCPU:1&member_of=${A}`), ['host:VCPU=1'])
  assert.deepEqual(await found(`resources=VCPU:1,VGPU:1&member_of=${A}`), ['child:VGPU=1 host:VCPU=1'], 'what the root is, the tree is')
  assert.deepEqual(await found(`resources=VCPU:1&resources1=VGPU:1&member_of1=${A}`), [], 'but not for one alone')
  assert.deepEqual(await found(`resources=VCPU:1&member_of=in:${A},${B}`), ['host:VCPU=1', 'other:VCPU=1'])
  assert.deepEqual(await found(`resources=VCPU:1&member_of=!${A}`), ['other:VCPU=1'])
  assert.deepEqual(await found(`resources=VCPU:1&in_tree=${child}`), ['host:VCPU=1'])
  assert.deepEqual(await found(`resources=VCPU:1&in_tree=${wire.kit.world.random.uuid()}`), [])
  assert.deepEqual(await found('resources=VGPU:1&root_required=COMPUTE_NODE'), ['child:VGPU=1'])
  assert.deepEqual(await found('resources=VGPU:1&root_required=!COMPUTE_NODE'), ['other:VGPU=1'])
})

test('same_subtree holds groups together below one of them', async () => {
  const host = await provider('host', { inventories: { MEMORY_MB: 64 } })
  for (const side of ['left', 'right']) {
    const numa = await provider(`numa-${side}`, { parent: host, inventories: { VCPU: 4 }, traits: ['HW_NUMA_ROOT'] })
    await provider(`gpu-${side}`, { parent: numa, inventories: { VGPU: 1 } })
  }
  const query = 'resources_CPU=VCPU:1&resources_GPU=VGPU:1&group_policy=none'
  assert.equal((await found(query)).length, 4)
  assert.deepEqual(await found(`${query}&same_subtree=_CPU,_GPU`), ['gpu-left:VGPU=1 numa-left:VCPU=1', 'gpu-right:VGPU=1 numa-right:VCPU=1'])
  assert.deepEqual(await found('resources_GPU=VGPU:1&required_TOP=HW_NUMA_ROOT&group_policy=none&same_subtree=_GPU,_TOP'), ['gpu-left:VGPU=1', 'gpu-right:VGPU=1'], 'a group may ask for nothing')
})

test('bad requests name what is wrong', async () => {
  for (const query of ['', 'resources=', 'resources=VCPU', 'resources=VCPU:0', 'resources=VCPU:x', 'resources=CUSTOM_NONE:1', 'resources=VCPU:1&required=CUSTOM_NONE', 'resources=VCPU:1&required=', 'resources=VCPU:1&limit=0', 'resources=VCPU:1&group_policy=maybe', 'resources=VCPU:1&member_of=x', 'resources=VCPU:1&in_tree=x', 'resources=VCPU:1&required1=COMPUTE_NODE', 'resources=VCPU:1&required=COMPUTE_NODE,!COMPUTE_NODE', 'resources=VCPU:1&root_required=COMPUTE_NODE&root_required=COMPUTE_NODE', 'resources=VCPU:1&same_subtree=1', 'resources=VCPU:1&same_subtree=', 'resources=VCPU:1&unknown=1']) {
    assert.equal((await wire.call('GET', `/allocation_candidates?${query}`)).status, 400, query)
  }
})

test('limit bounds the answer, its summaries and what is read for it', async () => {
  for (let i = 0; i < 40; i++) await provider(`host-${i}`, { inventories: { VCPU: 8 } })
  const answer = (await wire.call('GET', '/allocation_candidates?resources=VCPU:1&limit=3')).json
  assert.equal(answer.allocation_requests.length, 3)
  assert.equal(Object.keys(answer.provider_summaries).length, 3)
  assert.equal((await found('resources=VCPU:1')).length, 40)
})

test('randomized, a limited search begins anywhere and a whole one still finds all', async () => {
  await wire.close()
  wire = await placementWire({ randomize_allocation_candidates: true })
  for (let i = 0; i < 8; i++) await provider(`host-${i}`, { inventories: { VCPU: 8 } })
  const firsts = new Set<string>()
  for (let i = 0; i < 30; i++) firsts.add((await found('resources=VCPU:1&limit=1'))[0]!)
  assert.ok(firsts.size > 2)
  assert.equal(new Set(await found('resources=VCPU:1')).size, 8)
})

/** A cloud of 14 providers in trees, some of which share. */
async function randomCloud(random: Random): Promise<void> {
  const made: string[] = []
  for (let i = 0; i < 14; i++) {
    const inventories = Object.fromEntries(some(random, ['VCPU', 'MEMORY_MB', 'DISK_GB', 'VGPU']).map((name) => [name, { total: 1 + random.below(8), step_size: 1 + random.below(2), min_unit: 1 + random.below(2) }]))
    const traits = [...some(random, ['HW_CPU_X86_AVX', 'COMPUTE_NODE']), ...(random.below(5) === 0 ? ['MISC_SHARES_VIA_AGGREGATE'] : [])]
    made.push(await provider(`host-${i}`, { inventories, traits, aggregates: some(random, [A, B]), ...(made.length > 0 && random.below(2) === 0 ? { parent: any(random, made) } : {}) }))
  }
}

function randomQuery(random: Random): URLSearchParams {
  const amount = (): number => 1 + random.below(3)
  const query = new URLSearchParams({ resources: `VCPU:${amount()},DISK_GB:${amount()}`, group_policy: any(random, ['none', 'isolate']) })
  if (random.below(2) === 0) query.set('resources1', `MEMORY_MB:${amount()}`)
  if (random.below(2) === 0) query.set('resources2', `MEMORY_MB:${amount()}`)
  if (random.below(2) === 0) query.set('required', any(random, ['HW_CPU_X86_AVX', 'in:HW_CPU_X86_AVX,COMPUTE_NODE', '!COMPUTE_NODE']))
  if (random.below(3) === 0) query.set('member_of', any(random, [A, `!${B}`, `in:${A},${B}`]))
  if (random.below(4) === 0) query.set('root_required', any(random, ['COMPUTE_NODE', '!COMPUTE_NODE']))
  return query
}

const any = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)]!
const some = <T>(random: Random, list: readonly T[]): T[] => list.filter(() => random.below(2) === 0)

/** Asks SQL for every root there is, with its aggregates. */
const EVERYTHING: CandidateRequest = {
  groups: [{ suffix: '', resources: {}, required: [], forbidden: [], member_of: [], forbidden_aggregates: [A] }],
  isolate: false,
  root: { required: [], forbidden: [] },
  same_subtrees: [],
  nested: true,
}

function candidatesOf(anchor: Anchor, plan: MatchPlan): Candidate[] {
  const found: Candidate[] = []
  visitCandidates(anchor, plan, (candidate) => found.push(candidate) > 0)
  return found
}

test('in clouds made at random, every candidate can be claimed, and SQL narrows none away', async () => {
  const tally = { claimed: 0, compared: 0 }
  for (const seed of [11, 12, 13, 14, 15, 16, 17, 18]) {
    const random = seededRandom(seed)
    await randomCloud(random)
    const all: Anchor[] = []
    for await (const anchor of anchors(wire.kit.db.as(), EVERYTHING)) all.push(anchor)
    for (let i = 0; i < 15; i++) {
      const query = randomQuery(random)
      const plan = matchPlan(candidateRequest(query, v('1.39')))
      const expected = new Set(all.flatMap((anchor) => candidatesOf(anchor, plan).map(candidateKey)))
      const answer = await wire.call('GET', `/allocation_candidates?${query}`)
      assert.equal(answer.json.allocation_requests.length, expected.size, `seed ${seed}: ${query}`)
      tally.compared += expected.size
      const [first] = answer.json.allocation_requests
      if (!first) continue
      for (const uuid of Object.keys(first.allocations)) assert.ok(answer.json.provider_summaries[uuid], 'every provider is summarized')
      const consumer = random.uuid()
      const claim = await wire.call('PUT', `/allocations/${consumer}`, { body: { ...first, project_id: 'p', user_id: 'u', consumer_generation: null, consumer_type: 'INSTANCE' } })
      assert.equal(claim.status, 204, `seed ${seed}: ${claim.text} ${query}`)
      await wire.call('DELETE', `/allocations/${consumer}`)
      tally.claimed++
    }
    await wire.close()
    wire = await placementWire()
  }
  assert.ok(tally.claimed > 20 && tally.compared > 100, JSON.stringify(tally))
})
