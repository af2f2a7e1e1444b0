/**
 * What Swift's API means, in a few maps: accounts, containers, objects, metadata, listings, versions, static large objects. Written from the API's own
 * words, without a look at the store, so that the two can be held against each other.
 */
import { createHash } from 'node:crypto'

export type Metadata = Record<string, string>
export interface Segment { name: string; etag: string; size: number }
export interface Thing { body: Buffer; etag: string; type: string; meta: Metadata; segments?: Segment[] | undefined }
/** `id`: undefined is the version `null`. A marker has no thing. `at`: seconds, by which versions are sorted. */
export interface Version { thing?: Thing; id?: string | undefined; at: number }
export interface Box { meta: Metadata; versions: 'never' | 'on' | 'off'; objects: Map<string, Version>; past: Map<string, Version[]> }
export interface ListQuery { limit?: number; prefix?: string; delimiter?: string; marker?: string; end_marker?: string; reverse?: boolean }

export const md5 = (bytes: Buffer | string): string => createHash('md5').update(bytes).digest('hex')
const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
export const sizeOf = (thing: Thing): number => thing.segments?.reduce((sum, one) => sum + one.size, 0) ?? thing.body.length
export const etagOf = (thing: Thing): string => (thing.segments ? md5(thing.segments.map((one) => one.etag).join('')) : thing.etag)

export class Model {
  readonly boxes = new Map<string, Box>()
  meta: Metadata = {}

  putBox(name: string, meta: Metadata, versions: boolean | undefined): number {
    const old = this.boxes.get(name)
    const box: Box = old ?? { meta: {}, versions: 'never', objects: new Map(), past: new Map() }
    this.boxes.set(name, box)
    merge(box.meta, meta)
    if (versions !== undefined) box.versions = versions ? 'on' : 'off'
    return old ? 202 : 201
  }

  removeBox(name: string): number {
    const box = this.boxes.get(name)
    if (!box) return 404
    if (box.objects.size > 0 || [...box.past.values()].some((list) => list.length > 0)) return 409
    this.boxes.delete(name)
    return 204
  }

  /** `id` of the new version is given by the store, and only where versions are kept. */
  put(box: Box, name: string, thing: Thing, id: string | undefined, at: number): void {
    const old = box.objects.get(name)
    if (old && (box.versions === 'on' || old.id !== undefined)) this.#keep(box, name, old)
    box.objects.set(name, { thing, id, at: id === undefined ? at : Number(id) })
  }

  /** The one without a version is one at most. */
  #keep(box: Box, name: string, old: Version): void {
    const list = (box.past.get(name) ?? []).filter((one) => old.id !== undefined || one.id !== undefined || one.thing === undefined)
    box.past.set(name, [old, ...list])
  }

  remove(box: Box, name: string, marker: string | undefined): number {
    const old = box.objects.get(name)
    if (old && (box.versions === 'on' || old.id !== undefined)) this.#keep(box, name, old)
    box.objects.delete(name)
    if (box.versions === 'on') box.past.set(name, [{ id: marker, at: Number(marker) }, ...(box.past.get(name) ?? [])])
    return old ? 204 : 404
  }

  version(box: Box, name: string, id: string | undefined): Version | undefined {
    const current = box.objects.get(name)
    return current && current.id === id ? current : box.past.get(name)?.find((one) => one.id === id)
  }

  removeVersion(box: Box, name: string, id: string): boolean {
    if (box.objects.get(name)?.id === id) {
      box.objects.delete(name)
      return true
    }
    const list = box.past.get(name) ?? []
    box.past.set(name, list.filter((one) => one.id !== id))
    return list.some((one) => one.id === id)
  }

  /** What stands in each container: objects alone, and the bytes of all versions. */
  totals(box: Box): { objects: number; bytes: number } {
    const sum = (list: Iterable<Version>): number => [...list].reduce((all, one) => all + (one.thing ? sizeOf(one.thing) : 0), 0)
    return { objects: box.objects.size, bytes: sum(box.objects.values()) + [...box.past.values()].reduce((all, list) => all + sum(list), 0) }
  }
}

export function merge(into: Metadata, change: Metadata): void {
  for (const [name, value] of Object.entries(change)) {
    if (value === '') delete into[name]
    else into[name] = value
  }
}

/** Names and folders of a page, by the definition and without any cleverness. */
export function page(names: Iterable<string>, { limit = 10_000, prefix = '', delimiter = '', marker = '', end_marker = '', reverse = false }: ListQuery): { name?: string; subdir?: string }[] {
  const [low, high] = reverse ? [end_marker, marker] : [marker, end_marker]
  const wanted = [...names].filter((name) => name.startsWith(prefix) && (low === '' || order(name, low) > 0) && (high === '' || order(name, high) < 0)).sort(order)
  if (reverse) wanted.reverse()
  const out: { name?: string; subdir?: string }[] = []
  let folder: string | undefined
  for (const name of wanted) {
    const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length)
    if (cut < 0) out.push({ name })
    else {
      const own = name.slice(0, cut + delimiter.length)
      if (own === folder) continue
      folder = own
      // The lower bound itself is no folder of the page.
      if (own !== low) out.push({ subdir: own })
    }
  }
  return out.slice(0, limit)
}

/** Every version by name and then the newest first, with whether it is the latest. */
export function versions(box: Box): { name: string; id: string; latest: boolean; bytes: number }[] {
  const names = [...new Set([...box.objects.keys(), ...box.past.keys()])].sort(order)
  return names.flatMap((name) => {
    const current = box.objects.get(name)
    const past = box.past.get(name) ?? []
    const newest = Math.max(...past.map((one) => one.at))
    const all = (current ? [current, ...past] : [...past]).sort((a, b) => b.at - a.at)
    return all.map((one) => ({ name, id: one.id ?? 'null', latest: current ? one === current : one.at === newest && one.thing === undefined, bytes: one.thing ? sizeOf(one.thing) : 0 }))
  })
}
