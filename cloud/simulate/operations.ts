/** What simulated users do, and how often. Each tries its luck: that it is not possible just now is an answer like any other. */
import type { Random } from '#base/random.ts'
import { keep, type Shelf, type Store } from './objects.ts'

export interface Answer {
  status: number
  // Answers are JSON of many shapes.
  // oxlint-disable-next-line no-explicit-any
  json: any
  text: string
}

const KINDS = ['servers', 'volumes', 'snapshots', 'backups', 'images', 'networks', 'ports', 'routers', 'floatingips', 'groups'] as const
type Kind = (typeof KINDS)[number]

export const nothingYet = (): Record<Kind, string[]> => Object.fromEntries(KINDS.map((kind) => [kind, []])) as unknown as Record<Kind, string[]>

type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>

export interface Hands {
  readonly name: string
  readonly random: Random
  readonly image: string
  /** The first network, with room for a thousand servers. */
  readonly network: string
  readonly external: string
  readonly own: Record<Kind, string[]>
  readonly nova: Ask
  readonly cinder: Ask
  readonly neutron: Ask
  readonly glance: Ask
  /** What is kept in the object store, and the way there. */
  readonly shelf: Shelf
  readonly store: Store
  /** Nova, as the administrator. */
  readonly operator: Ask
}

interface Operation {
  weight: number
  run(hands: Hands): Promise<Answer | undefined>
}

const pick = ({ own, random }: Hands, kind: Kind): string | undefined => own[kind][random.below(Math.max(1, own[kind].length))]

/** Remembers what was made. */
async function made(hands: Hands, kind: Kind, noun: string, answer: Promise<Answer>): Promise<Answer> {
  const got = await answer
  const id = (got.json as Record<string, { id?: string }> | undefined)?.[noun]?.id
  if (got.status < 300 && id !== undefined) hands.own[kind].push(id)
  return got
}

const action = (body: (hands: Hands) => object, who: 'nova' | 'operator' = 'nova') => async (hands: Hands): Promise<Answer | undefined> => {
  const server = pick(hands, 'servers')
  return server === undefined ? undefined : hands[who]('POST', `/servers/${server}/action`, body(hands))
}

/** `what` is the path below the collection; it is forgotten when the answer is good. */
const remove = (kind: Kind, ask: 'nova' | 'cinder' | 'neutron' | 'glance', path: string) => async (hands: Hands): Promise<Answer | undefined> => {
  const id = pick(hands, kind)
  if (id === undefined) return undefined
  const answer = await hands[ask]('DELETE', `${path}/${id}`)
  if (answer.status < 300 || answer.status === 404) hands.own[kind] = hands.own[kind].filter((one) => one !== id)
  return answer
}

const onPair = (a: Kind, b: Kind, run: (hands: Hands, a: string, b: string) => Promise<Answer>) => async (hands: Hands): Promise<Answer | undefined> => {
  const [one, two] = [pick(hands, a), pick(hands, b)]
  return one === undefined || two === undefined ? undefined : run(hands, one, two)
}

export function boot(hands: Hands): Promise<Answer> {
  const { name, image, network, random } = hands
  const plain = { name, flavorRef: '42', networks: [{ uuid: network }] }
  const onVolume = { ...plain, block_device_mapping_v2: [{ boot_index: 0, uuid: image, source_type: 'image', destination_type: 'volume', volume_size: 1, delete_on_termination: true }] }
  return made(hands, 'servers', 'server', hands.nova('POST', '/servers', { server: random.below(6) === 0 ? onVolume : { ...plain, imageRef: image } }))
}

export const OPERATIONS: readonly Operation[] = [
  { weight: 22, run: boot },
  { weight: 14, run: remove('servers', 'nova', '/servers') },
  { weight: 5, run: action(() => ({ 'os-stop': null })) },
  { weight: 5, run: action(() => ({ 'os-start': null })) },
  { weight: 5, run: action(({ random }) => ({ reboot: { type: random.below(2) ? 'HARD' : 'SOFT' } })) },
  { weight: 2, run: action(() => ({ pause: null })) },
  { weight: 2, run: action(() => ({ unpause: null })) },
  { weight: 2, run: action(() => ({ suspend: null })) },
  { weight: 2, run: action(() => ({ resume: null })) },
  { weight: 4, run: action(({ random }) => ({ resize: { flavorRef: random.below(2) ? '84' : '42' } })) },
  { weight: 3, run: action(() => ({ confirmResize: null })) },
  { weight: 3, run: action(() => ({ revertResize: null })) },
  { weight: 2, run: action(({ image }) => ({ rebuild: { imageRef: image } })) },
  { weight: 2, run: action(() => ({ shelve: null })) },
  { weight: 2, run: action(() => ({ unshelve: null })) },
  { weight: 1, run: action(() => ({ rescue: null })) },
  { weight: 1, run: action(() => ({ unrescue: null })) },
  { weight: 2, run: action(() => ({ migrate: null }), 'operator') },
  { weight: 3, run: action(() => ({ 'os-migrateLive': { host: null, block_migration: false, disk_over_commit: false } }), 'operator') },
  { weight: 2, run: action(({ name }) => ({ createImage: { name } })) },
  { weight: 2, run: ({ nova }) => nova('GET', '/servers/detail') },
  { weight: 8, run: (hands) => made(hands, 'volumes', 'volume', hands.cinder('POST', '/volumes', { volume: { size: 1, name: hands.name, ...(hands.random.below(4) === 0 ? { imageRef: hands.image } : {}) } })) },
  { weight: 8, run: onPair('servers', 'volumes', ({ nova }, server, volume) => nova('POST', `/servers/${server}/os-volume_attachments`, { volumeAttachment: { volumeId: volume } })) },
  { weight: 5, run: onPair('servers', 'volumes', ({ nova }, server, volume) => nova('DELETE', `/servers/${server}/os-volume_attachments/${volume}`)) },
  { weight: 4, run: remove('volumes', 'cinder', '/volumes') },
  { weight: 2, run: onPair('volumes', 'volumes', ({ cinder }, volume) => cinder('POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: 2 } })) },
  { weight: 3, run: onPair('volumes', 'volumes', (hands, volume) => made(hands, 'snapshots', 'snapshot', hands.cinder('POST', '/snapshots', { snapshot: { volume_id: volume, name: hands.name, force: true } }))) },
  { weight: 2, run: remove('snapshots', 'cinder', '/snapshots') },
  { weight: 1, run: onPair('snapshots', 'snapshots', (hands, snapshot) => made(hands, 'volumes', 'volume', hands.cinder('POST', '/volumes', { volume: { size: 2, snapshot_id: snapshot } }))) },
  { weight: 1, run: onPair('volumes', 'volumes', (hands, volume) => made(hands, 'backups', 'backup', hands.cinder('POST', '/backups', { backup: { volume_id: volume, name: hands.name, force: true } }))) },
  { weight: 1, run: remove('backups', 'cinder', '/backups') },
  { weight: 1, run: (hands) => made(hands, 'networks', 'network', hands.neutron('POST', '/networks', { network: { name: hands.name } })) },
  { weight: 1, run: onPair('networks', 'networks', ({ neutron, random }, network) => neutron('POST', '/subnets', { subnet: { network_id: network, ip_version: 4, cidr: `172.16.${random.below(250)}.0/24` } })) },
  { weight: 1, run: remove('networks', 'neutron', '/networks') },
  { weight: 3, run: (hands) => made(hands, 'ports', 'port', hands.neutron('POST', '/ports', { port: { network_id: hands.network } })) },
  { weight: 2, run: remove('ports', 'neutron', '/ports') },
  { weight: 3, run: onPair('servers', 'ports', ({ nova }, server, port) => nova('POST', `/servers/${server}/os-interface`, { interfaceAttachment: { port_id: port } })) },
  { weight: 2, run: onPair('servers', 'ports', ({ nova }, server, port) => nova('DELETE', `/servers/${server}/os-interface/${port}`)) },
  { weight: 3, run: (hands) => made(hands, 'floatingips', 'floatingip', hands.neutron('POST', '/floatingips', { floatingip: { floating_network_id: hands.external } })) },
  { weight: 2, run: onPair('floatingips', 'ports', ({ neutron }, fip, port) => neutron('PUT', `/floatingips/${fip}`, { floatingip: { port_id: port } })) },
  { weight: 2, run: remove('floatingips', 'neutron', '/floatingips') },
  { weight: 1, run: (hands) => made(hands, 'groups', 'security_group', hands.neutron('POST', '/security-groups', { security_group: { name: hands.name } })) },
  { weight: 1, run: onPair('groups', 'groups', ({ neutron, random }, group) => neutron('POST', '/security-group-rules', { security_group_rule: { security_group_id: group, direction: 'ingress', protocol: 'tcp', port_range_min: 1 + random.below(1000), port_range_max: 2000 } })) },
  { weight: 1, run: onPair('ports', 'groups', ({ neutron }, port, group) => neutron('PUT', `/ports/${port}`, { port: { security_groups: [group] } })) },
  { weight: 1, run: remove('groups', 'neutron', '/security-groups') },
  { weight: 2, run: (hands) => made(hands, 'images', 'id', hands.glance('POST', '/images', { name: hands.name, disk_format: 'raw', container_format: 'bare' }).then((got) => ({ ...got, json: { id: got.json } }))) },
  { weight: 1, run: remove('images', 'glance', '/images') },
  { weight: 20, run: keep },
]

const TOTAL = OPERATIONS.reduce((sum, { weight }) => sum + weight, 0)

/** One operation by chance. What needs something that is not there yet becomes a boot. */
export async function actOnce(hands: Hands): Promise<Answer> {
  let dice = hands.random.below(TOTAL)
  const { run } = OPERATIONS.find(({ weight }) => (dice -= weight) < 0)!
  return (await run(hands)) ?? boot(hands)
}
