/** Members: projects that an image is shared with, and tags. */
import { isoSeconds } from '#base/clock.ts'
import { conflict, Fault, forbidden, invalid, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import type { Glance } from '../house.ts'
import { imageById, updateImage } from '../store/images.ts'
import { deleteMember, insertMember, memberOf, membersOf, setMemberStatus } from '../store/members.ts'
import type { MemberRow } from '../store/tables.ts'
import { checkBounds } from './image-fields.ts'
import { loadImage } from './load.ts'

const memberSchema = { type: 'object', properties: { member: { type: 'string', minLength: 1, maxLength: 255 } }, required: ['member'] }
const statusSchema = { type: 'object', properties: { status: { type: 'string' } }, required: ['status'] }

export const memberRoutes = (house: Glance): Route[] => [
  route({ method: 'GET', path: '/v2/images/{image_id}/members', name: 'members.list', status: 200, handle: (rq) => list(house, rq as Rq<never>) }),
  route<{ member: string }>({ method: 'POST', path: '/v2/images/{image_id}/members', name: 'members.create', body: memberSchema, status: 200, handle: (rq) => create(house, rq) }),
  route({ method: 'GET', path: '/v2/images/{image_id}/members/{member_id}', name: 'members.show', status: 200, handle: (rq) => show(house, rq as Rq<never>) }),
  route<{ status: string }>({ method: 'PUT', path: '/v2/images/{image_id}/members/{member_id}', name: 'members.update', body: statusSchema, status: 200, handle: (rq) => update(house, rq) }),
  route({ method: 'DELETE', path: '/v2/images/{image_id}/members/{member_id}', name: 'members.delete', bodyKind: 'none', status: 204, handle: (rq) => remove(house, rq as Rq<never>) }),
  route({ method: 'PUT', path: '/v2/images/{image_id}/tags/{tag}', name: 'tags.add', bodyKind: 'none', status: 204, handle: (rq) => tag(house, rq as Rq<never>, true) }),
  route({ method: 'DELETE', path: '/v2/images/{image_id}/tags/{tag}', name: 'tags.remove', bodyKind: 'none', status: 204, handle: (rq) => tag(house, rq as Rq<never>, false) }),
]

function view(row: MemberRow): object {
  return { member_id: row.member, image_id: row.image_id, status: row.status, created_at: isoSeconds(row.created_at), updated_at: isoSeconds(row.updated_at), schema: '/v2/schemas/member' }
}

async function list(house: Glance, rq: Rq<never>): Promise<Reply> {
  const { row } = await loadImage(house, rq, 'get_members')
  const all = await membersOf(house.db, row.id)
  // A consumer sees that it is one, and nobody else.
  const own = row.owner === rq.context.project_id || rq.allows('context_is_admin', {})
  return { json: { members: all.filter((one) => own || one.member === rq.context.project_id).map(view), schema: '/v2/schemas/members' } }
}

async function create(house: Glance, rq: Rq<{ member: string }>): Promise<Reply> {
  const { row } = await loadImage(house, rq as unknown as Rq<never>, 'add_member')
  if (row.visibility !== 'shared') throw forbidden(`Only shared images have members; the visibility of ${row.id} is ${row.visibility}.`)
  const now = house.world.clock.now()
  const made: MemberRow = { image_id: row.id, member: rq.body.member, status: 'pending', created_at: now, updated_at: now }
  await house.db
    .transaction(async (tx) => {
      if ((await membersOf(tx, row.id)).length >= house.config.max_members) throw new Fault('too_large', `The limit of ${house.config.max_members} members was exceeded.`)
      await insertMember(tx, made)
    })
    .catch((thrown: unknown) => {
      throw isDuplicate(house.db.engine, thrown) ? conflict(`Image member ${made.member} already exists`, { field: 'member' }) : thrown
    })
  return { json: view(made) }
}

async function found(house: Glance, rq: Rq<never>, rule: string): Promise<MemberRow> {
  const image = await imageById(house.db, rq.params.image_id!)
  if (!image) throw notFound(`No image found with ID ${rq.params.image_id}`)
  const member = await memberOf(house.db, image.id, rq.params.member_id!)
  const mine = member !== undefined && member.member === rq.context.project_id
  const target = { project_id: image.owner, owner: image.owner, member_id: member?.member ?? null, visibility: image.visibility }
  if (!mine && image.owner !== rq.context.project_id && !rq.allows('context_is_admin', {})) {
    await loadImage(house, rq, 'get_image')
    throw notFound(`${rq.params.member_id} not found in the member list of the image ${image.id}.`)
  }
  if (!member) throw notFound(`${rq.params.member_id} not found in the member list of the image ${image.id}.`)
  rq.authorize(rule, target)
  return member
}

const show = async (house: Glance, rq: Rq<never>): Promise<Reply> => ({ json: view(await found(house, rq, 'get_member')) })

async function update(house: Glance, rq: Rq<{ status: string }>): Promise<Reply> {
  const { status } = rq.body
  if (!['pending', 'accepted', 'rejected'].includes(status)) throw invalid(`Status must be "pending", "accepted" or "rejected", not "${status.slice(0, 50)}".`, { field: 'status' })
  const row = await found(house, rq as unknown as Rq<never>, 'modify_member')
  const updated_at = house.world.clock.now()
  await setMemberStatus(house.db, row.image_id, row.member, status, updated_at)
  return { json: view({ ...row, status, updated_at }) }
}

async function remove(house: Glance, rq: Rq<never>): Promise<Reply> {
  const { row } = await loadImage(house, rq, 'delete_member')
  if (!(await deleteMember(house.db, row.id, rq.params.member_id!))) throw notFound(`${rq.params.member_id} not found in the member list of the image ${row.id}.`)
  return {}
}

async function tag(house: Glance, rq: Rq<never>, add: boolean): Promise<Reply> {
  const name = rq.params.tag!
  if (name.length > 255) throw invalid(`Invalid image tag value: ${name.slice(0, 50)}…`, { field: 'tag' })
  const { row } = await loadImage(house, rq, 'modify_image')
  const tags = JSON.parse(row.tags) as string[]
  if (!add && !tags.includes(name)) throw notFound(`Tag ${name} not found.`)
  const next = add ? [...new Set([...tags, name])] : tags.filter((one) => one !== name)
  const patch = { tags: JSON.stringify(next), updated_at: Math.max(house.world.clock.now(), row.updated_at + 1) }
  checkBounds(patch, house.config)
  await house.db.transaction((tx) => updateImage(tx, row, patch))
  return {}
}
