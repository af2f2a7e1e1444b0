/** Resource classes. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { isCustomSymbol } from '../contract/names.ts'
import { isStandardClass, type ResourceClass, STANDARD_CLASSES } from '../contract/resource-classes.ts'
import type { Placement } from '../house.ts'
import { classDelete, classGet, classInsert, classIsUsed, classList, classRename } from '../store/resource-classes.ts'
import { freshness, newest } from './freshness.ts'

export const listResourceClasses = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const custom = await classList(house.db)
  return { json: { resource_classes: [...STANDARD_CLASSES, ...custom.map((row) => row.name)].map((name) => wire(rq, name)) }, headers: freshness(house, rq, newest(custom)) }
}

export const showResourceClass = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const name = rq.params.name!
  const row = isStandardClass(name) ? undefined : ((await classGet(house.db, name)) ?? absent(name))
  return { json: wire(rq, name), headers: freshness(house, rq, row?.updated_at) }
}

export const createResourceClass = (house: Placement) => async (rq: Rq<{ name: string }>): Promise<Reply> => {
  const { name } = rq.body
  if (!(await inserted(house, name))) throw conflict(`Conflicting resource class already exists: ${name}`)
  return { headers: { location: location(rq, name) } }
}

/** From 1.7: makes sure that it is there. */
export const ensureResourceClass = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const name = rq.params.name!
  if (!isCustomSymbol(name)) throw invalid(`JSON does not validate: '${name}' does not match '^CUSTOM_[A-Z0-9_]+$'`, { field: 'name' })
  const there = (await classGet(house.db, name)) !== undefined || !(await inserted(house, name))
  return { status: there ? 204 : 201, headers: { location: location(rq, name) } }
}

/** Up to 1.6: gives it another name. */
export const renameResourceClass = (house: Placement) => async (rq: Rq<{ name: string }>): Promise<Reply> => {
  const from = rq.params.name!
  const to = rq.body.name
  if (isStandardClass(from)) throw invalid(`Cannot update standard resource class ${from}`)
  try {
    await house.db.transaction(async (tx) => {
      if (!(await classGet(tx, from))) absent(from)
      if (from !== to) await classRename(tx, from, to, house.world.clock.now())
    })
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw conflict(`Resource class already exists: ${to}`, { cause: thrown })
    throw thrown
  }
  return { json: wire(rq, to) }
}

export const deleteResourceClass = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const name = rq.params.name!
  if (isStandardClass(name)) throw invalid(`Error in delete resource class: Cannot delete standard resource class ${name}.`)
  await house.db.transaction(async (tx) => {
    if (!(await classGet(tx, name))) absent(name)
    if (await classIsUsed(tx, name)) throw conflict(`Error in delete resource class: Cannot delete resource class ${name}. Class is in use in inventory.`)
    await classDelete(tx, name)
  })
  return {}
}

/** False when it was there already. */
async function inserted(house: Placement, name: string): Promise<boolean> {
  try {
    await classInsert(house.db, name, house.world.clock.now())
    return true
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) return false
    throw thrown
  }
}

function absent(name: string): never {
  throw notFound(`No such resource class ${name}.`)
}

function location(rq: Rq, name: string): string {
  return `${rq.base}/resource_classes/${name}`
}

function wire(rq: Rq, name: string): ResourceClass {
  return { name, links: [{ rel: 'self', href: `${rq.http.mount ?? ''}/resource_classes/${name}` }] }
}
