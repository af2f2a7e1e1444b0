/** rebuild: the same server and addresses, another image. rescue: a rescue image beside the server's own disk. */
import { invalid, isFault } from '#base/fault.ts'
import { type Image, showImage } from '#glance/contract/images.ts'
import type { Schema } from '#stack/schema.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { type ApiVersion, byVersion, v } from '#stack/version.ts'
import { imageSnapshot } from '../core/images.ts'
import { newPassword } from '../core/passwords.ts'
import { assertMay } from '../core/states.ts'
import { hasConfigDrive } from '../flows/guest.ts'
import { isOnVolume } from '../flows/volumes.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { keypairOf } from '../store/keypairs.ts'
import { limitsOf } from '../store/quotas.ts'
import type { FlavorSnapshot, ServerPrivate, ServerRow } from '../store/tables.ts'
import { linksOf } from './links.ts'
import { adminPass, description, diskConfig, envelope, flag, fqdnText, hostnameText, imageRef, ipv4Text, ipv6Text, isTrue, metadataObject, nameText, object, personality } from './schemas.ts'
import { actionRoute } from './server-actions.ts'
import { callerOf, judgedFiles, judgeMetadata } from './server-create.ts'
import { accessAddress6, beginWork, isAdmin } from './server-steps.ts'
import { serverTexts } from './server-view.ts'

interface RebuildWish {
  imageRef: string
  name?: string
  adminPass?: string
  metadata?: Record<string, string>
  preserve_ephemeral?: unknown
  'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL'
  accessIPv4?: string
  accessIPv6?: string
  personality?: { path?: string; contents?: string }[]
  description?: string | null
  key_name?: string | null
  user_data?: string | null
  trusted_image_certificates?: string[] | null
  hostname?: string
}

function rebuildSchema(version: ApiVersion): Schema {
  const at = (since: `${number}.${number}`): boolean => version >= v(since)
  return envelope(
    'rebuild',
    object(
      {
        name: nameText, imageRef, adminPass, metadata: metadataObject, preserve_ephemeral: flag, 'OS-DCF:diskConfig': diskConfig, accessIPv4: ipv4Text, accessIPv6: ipv6Text,
        ...(at('2.57') ? {} : { personality }),
        ...(at('2.19') ? { description } : {}),
        ...(at('2.54') ? { key_name: { type: ['string', 'null'], minLength: 1, maxLength: 255 } } : {}),
        ...(at('2.57') ? { user_data: { type: ['string', 'null'], maxLength: 65_535 } } : {}),
        ...(at('2.63') ? { trusted_image_certificates: { anyOf: [{ type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1, maxItems: 50 }, { type: 'null' }] } } : {}),
        ...(at('2.94') ? { hostname: fqdnText } : at('2.90') ? { hostname: hostnameText } : {}),
      },
      ['imageRef'],
    ),
  )
}

export function serverRebuildRoutes(nova: Nova): Route[] {
  const steps = ['2.1', '2.19', '2.54', '2.57', '2.63', '2.90', '2.94'] as const
  return [
    actionRoute<RebuildWish>(nova, { key: 'rebuild', rule: 'servers:rebuild', body: byVersion(Object.fromEntries(steps.map((step) => [step, rebuildSchema(v(step))]))) }, (rq, server) => rebuild(nova, rq, server, rq.body)),
    actionRoute<{ adminPass?: string; rescue_image_ref?: string } | null>(
      nova,
      { key: 'rescue', rule: 'os-rescue', status: 200, body: object({ rescue: { anyOf: [{ type: 'null' }, object({ adminPass, rescue_image_ref: { type: 'string', pattern: '^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$' } })] } }, ['rescue']) },
      (rq, server) => rescue(nova, rq, server, rq.body ?? {}),
    ),
  ]
}

async function rebuild(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: RebuildWish): Promise<Reply> {
  assertMay('rebuild', server, isAdmin(rq))
  if (wish.trusted_image_certificates) throw invalid('Image signature verification is not available in this cloud: trusted_image_certificates cannot be honoured.', { field: 'trusted_image_certificates' })
  const image = await activeImage(nova, rq, wish.imageRef)
  const flavor = JSON.parse(server.flavor) as FlavorSnapshot
  if (flavor.memory_mb < image.min_ram) throw invalid("Flavor's memory is too small for requested image.", { field: 'imageRef' })
  const devices = await blockDevicesOf(nova.db, server.id)
  const onVolume = isOnVolume(devices)
  const root = devices.find((device) => device.boot_index === 0)
  if (!onVolume && flavor.root_gb > 0 && (image.min_disk > flavor.root_gb || (image.size ?? 0) > flavor.root_gb * 2 ** 30)) throw invalid("Flavor's disk is too small for requested image.", { field: 'imageRef' })
  if (onVolume && rq.version < v('2.93') && root?.image_id !== image.id) throw invalid('Unable to rebuild with a different image for a volume-backed server.', { field: 'imageRef' })
  const { metadata_items } = await limitsOf(nova.db, server.project_id, nova.quotas)
  judgeMetadata(wish.metadata, metadata_items)
  const password = wish.adminPass ?? newPassword(nova.world.random)
  const own = JSON.parse(server.private) as ServerPrivate
  const patch: Partial<ServerRow> = {
    image: JSON.stringify(imageSnapshot(image)),
    ...(onVolume ? {} : { image_id: image.id }),
    ...(wish.name === undefined ? {} : { name: wish.name }),
    ...(wish.metadata === undefined ? {} : { metadata: JSON.stringify(wish.metadata) }),
    ...(wish.accessIPv4 === undefined ? {} : { access_ip_v4: wish.accessIPv4 || null }),
    ...(wish.accessIPv6 === undefined ? {} : { access_ip_v6: accessAddress6(wish.accessIPv6) }),
    ...(wish['OS-DCF:diskConfig'] === undefined ? {} : { auto_disk_config: wish['OS-DCF:diskConfig'] === 'AUTO' ? 1 : 0 }),
    ...(wish.description === undefined ? {} : { description: wish.description }),
    ...(wish.hostname === undefined ? {} : { hostname: wish.hostname }),
    ...(wish.user_data === undefined ? {} : { user_data: wish.user_data }),
    ...(wish.key_name === undefined ? {} : await keyPatch(nova, rq, server, wish.key_name)),
    ...(wish.personality === undefined ? {} : { private: JSON.stringify({ ...own, injected_files: await judgedFiles(nova, server.project_id, wish.personality) }) }),
  }
  await beginWork(nova, rq, server, {
    action: 'rebuild', event: 'compute_rebuild_instance', legal: 'rebuild', lock: 'rebuilding', patch: { ...patch, progress: 0 }, flow: nova.flows.rebuildServer,
    params: {
      power: server.vm_state === 'stopped' ? 'shutdown' : 'running', preserve_ephemeral: isTrue(wish.preserve_ephemeral), image_id: image.id,
      ...(onVolume && rq.version >= v('2.93') ? { volume_id: root!.volume_id! } : {}),
      ...(hasConfigDrive(nova, server) ? { admin_pass: password } : {}),
    },
  })
  const [text] = await serverTexts(nova, rq, [{ ...server, ...patch, task_state: 'rebuilding', updated_at: nova.world.clock.now(), progress: 0 }], 'rebuild')
  const body = `{"server":${text!.slice(0, -1)},"adminPass":${JSON.stringify(password)}}}`
  return { headers: { 'content-type': 'application/json', location: linksOf(rq, 'servers', server.id)[0]!.href }, body }
}

async function activeImage(nova: Nova, rq: Rq<unknown>, id: string): Promise<Image> {
  if (id === '') throw invalid('Invalid imageRef provided.', { field: 'imageRef' })
  const image = await nova.client.call(callerOf(rq), 'glance', showImage, { params: { image_id: id } }).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_found') || isFault(thrown, 'forbidden')) throw invalid('Cannot find image for rebuild', { field: 'imageRef', cause: thrown })
    throw thrown
  })
  if (image.status !== 'active') throw invalid(`Image ${id} is not active.`, { field: 'imageRef' })
  return image
}

async function keyPatch(nova: Nova, rq: Rq<unknown>, server: ServerRow, name: string | null): Promise<Partial<ServerRow>> {
  if (name === null) return { key_name: null, key_data: null }
  const key = await keypairOf(nova.db, rq.context.user_id ?? server.user_id, name)
  if (!key) throw invalid(`Keypair ${name} not found for user ${server.user_id}`, { field: 'key_name' })
  return { key_name: key.name, key_data: JSON.stringify({ type: key.type, public_key: key.public_key }) }
}

async function rescue(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: { adminPass?: string; rescue_image_ref?: string }): Promise<Reply> {
  assertMay('rescue', server, isAdmin(rq))
  if (isOnVolume(await blockDevicesOf(nova.db, server.id)) && rq.version < v('2.87')) throw invalid(`Cannot rescue a volume-backed instance`)
  const image_id = wish.rescue_image_ref ?? server.image_id
  if (image_id === '') throw invalid('A server on a volume needs a rescue image: name one as rescue_image_ref.', { field: 'rescue_image_ref' })
  await activeImage(nova, rq, image_id)
  const password = wish.adminPass ?? newPassword(nova.world.random)
  await beginWork(nova, rq, server, { action: 'rescue', event: 'compute_rescue_instance', legal: 'rescue', lock: 'rescuing', flow: nova.flows.rescueServer, params: { image_id, ...(hasConfigDrive(nova, server) ? { admin_pass: password } : {}) } })
  return { json: { adminPass: password } }
}
