/**
 * A small ISO 9660 writer: enough for a config drive. Long lower-case names come through Rock Ridge (Linux) and Joliet (Windows); the
 * plain ISO names below them are never seen. Everything is in memory: these images have some kilobytes.
 *
 * Layout in sectors of 2,048 bytes: 16 empty, primary descriptor, Joliet descriptor, end mark, path tables (LE and BE, of both trees),
 * the directories of both trees, the files.
 */
import { invalid } from '#base/fault.ts'

const SECTOR = 2048
/** Empty sectors at the end: drives read ahead, and busybox looks for other file systems' marks at 64 KiB before it believes in this one. */
const PADDING = 150

interface Directory {
  kind: 'directory'
  name: string
  children: Node[]
  parent: Directory
  /** Place and length in sectors and bytes: of the primary tree, of the Joliet tree. */
  at: [number, number]
  size: [number, number]
}

interface File {
  kind: 'file'
  name: string
  data: Buffer
  at: number
}

type Node = Directory | File

export interface IsoOptions {
  /** Volume id, at most 16 characters, e.g. `config-2`. */
  label: string
  /** Milliseconds since the epoch; stamps everything. */
  time: number
}

/** The image. `files` maps relative paths with slashes, e.g. `openstack/latest/meta_data.json`, to their content. */
export function isoImage(files: Readonly<Record<string, string | Uint8Array>>, options: IsoOptions): Buffer {
  if (!/^[\w.-]{1,16}$/.test(options.label)) throw invalid('A volume label has at most 16 letters, digits, dots, dashes and underscores.', { field: 'label' })
  const root = makeTree(files)
  const directories = listDirectories(root)
  const stamp = recordTime(options.time)
  const tables = [0, 1].map((tree) => pathTableSize(directories, tree))
  let next = 19
  const tableAt = [0, 1].map((tree) => {
    const sectors = sectorsOf(tables[tree]!)
    const at = { little: next, big: next + sectors }
    next += 2 * sectors
    return at
  })
  for (const tree of [0, 1] as const) {
    for (const directory of directories) {
      directory.size[tree] = directorySize(directory, tree, directory === root)
      directory.at[tree] = next
      next += sectorsOf(directory.size[tree])
    }
  }
  const all = directories.flatMap((directory) => directory.children).filter((child) => child.kind === 'file')
  for (const file of all) {
    file.at = next
    next += sectorsOf(file.data.length)
  }
  next += PADDING
  const image = Buffer.alloc(next * SECTOR)
  for (const tree of [0, 1] as const) {
    descriptor(root, tree, { ...options, sectors: next, table: tableAt[tree]!, tableSize: tables[tree]! }).copy(image, (16 + tree) * SECTOR)
    pathTable(directories, tree, false).copy(image, tableAt[tree]!.little * SECTOR)
    pathTable(directories, tree, true).copy(image, tableAt[tree]!.big * SECTOR)
    for (const directory of directories) writeDirectory(directory, tree, directory === root, stamp).copy(image, directory.at[tree] * SECTOR)
  }
  image[18 * SECTOR] = 255
  image.write('CD001\x01', 18 * SECTOR + 1, 'latin1')
  for (const file of all) file.data.copy(image, file.at * SECTOR)
  return image
}

function makeTree(files: Readonly<Record<string, string | Uint8Array>>): Directory {
  const root = makeDirectory('')
  for (const [path, content] of Object.entries(files)) {
    const names = path.split('/')
    const last = names.pop()!
    if ([last, ...names].some((name) => !/^[\w.@+-]{1,60}$/.test(name) || name === '.' || name === '..')) {
      throw invalid(`The path ${path} cannot be on a config drive.`, { field: 'path' })
    }
    let at = root
    for (const name of names) {
      let child = at.children.find((one) => one.name === name)
      if (!child) {
        child = makeDirectory(name, at)
        at.children.push(child)
      }
      if (child.kind !== 'directory') throw invalid(`The path ${path} goes through a file.`, { field: 'path' })
      at = child
    }
    if (at.children.some((one) => one.name === last)) throw invalid(`The path ${path} is there twice.`, { field: 'path' })
    at.children.push({ kind: 'file', name: last, data: Buffer.from(content), at: 0 })
  }
  return root
}

function makeDirectory(name: string, parent?: Directory): Directory {
  const directory = { kind: 'directory', name, children: [], at: [0, 0], size: [0, 0] } as unknown as Directory
  directory.parent = parent ?? directory
  return directory
}

/** Breadth first, each directory's children by name: the order that path tables require. */
function listDirectories(root: Directory): Directory[] {
  const list = [root]
  for (const directory of list) {
    directory.children.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const child of directory.children) if (child.kind === 'directory') list.push(child)
  }
  return list
}

/** The identifier in a tree: upper-case 8.3-like and unique by number in the primary, UCS-2 in Joliet. */
function identifier(node: Node, siblings: readonly Node[], tree: number): Buffer {
  if (tree === 1) return Buffer.from(node.name, 'utf16le').swap16()
  const serial = String(siblings.indexOf(node)).padStart(3, '0')
  const stem = node.name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_').slice(0, 5)
  return Buffer.from(node.kind === 'file' ? `${serial}${stem}.;1` : `${serial}${stem}`, 'latin1')
}

function entries(directory: Directory, tree: 0 | 1): { id: Buffer; node: Node }[] {
  return directory.children.map((node) => ({ id: identifier(node, directory.children, tree), node })).sort((a, b) => Buffer.compare(a.id, b.id))
}

// --- directory records

function record(id: Buffer, at: number, size: number, isDirectory: boolean, stamp: Buffer, systemUse: Buffer): Buffer {
  const idPart = id.length + (id.length % 2 === 0 ? 1 : 0)
  const length = 33 + idPart + systemUse.length
  const bytes = Buffer.alloc(length + (length % 2))
  bytes[0] = bytes.length
  both32(bytes, 2, at)
  both32(bytes, 10, size)
  stamp.copy(bytes, 18)
  bytes[25] = isDirectory ? 2 : 0
  both16(bytes, 28, 1)
  bytes[32] = id.length
  id.copy(bytes, 33)
  systemUse.copy(bytes, 33 + idPart)
  return bytes
}

/** Rock Ridge: POSIX mode (0555, 0444) and the true name. The root's own entry also declares the protocol. */
function rockRidge(node: Node | undefined, isDirectory: boolean, rootSelf: boolean): Buffer {
  const px = Buffer.alloc(36)
  px.write('PX', 'latin1')
  px[2] = 36
  px[3] = 1
  both32(px, 4, isDirectory ? 0o040555 : 0o100444)
  both32(px, 12, isDirectory ? 2 : 1)
  const parts = [px]
  if (rootSelf) parts.unshift(Buffer.from([0x53, 0x50, 7, 1, 0xbe, 0xef, 0])) // SP
  if (rootSelf) {
    const id = 'RRIP_1991A'
    parts.push(Buffer.concat([Buffer.from([0x45, 0x52, 8 + id.length, 1, id.length, 0, 0, 1]), Buffer.from(id, 'latin1')])) // ER
  }
  if (node) parts.push(Buffer.concat([Buffer.from([0x4e, 0x4d, 5 + Buffer.byteLength(node.name), 1, 0]), Buffer.from(node.name)])) // NM
  return Buffer.concat(parts)
}

function directoryRecords(directory: Directory, tree: 0 | 1, isRoot: boolean, stamp: Buffer): Buffer[] {
  const use = (node: Node | undefined, isDirectory: boolean, rootSelf = false): Buffer => (tree === 0 ? rockRidge(node, isDirectory, rootSelf) : Buffer.alloc(0))
  const { parent } = directory
  return [
    record(Buffer.from([0]), directory.at[tree], directory.size[tree], true, stamp, use(undefined, true, isRoot)),
    record(Buffer.from([1]), parent.at[tree], parent.size[tree], true, stamp, use(undefined, true)),
    ...entries(directory, tree).map(({ id, node }) =>
      node.kind === 'directory'
        ? record(id, node.at[tree], node.size[tree], true, stamp, use(node, true))
        : record(id, node.at, node.data.length, false, stamp, use(node, false)),
    ),
  ]
}

/** Packs records into sectors: none may cross a border. */
function packed(records: readonly Buffer[]): Buffer {
  const parts: Buffer[] = []
  let used = 0
  for (const one of records) {
    const free = SECTOR - (used % SECTOR)
    if (one.length > free) {
      parts.push(Buffer.alloc(free))
      used += free
    }
    parts.push(one)
    used += one.length
  }
  parts.push(Buffer.alloc((SECTOR - (used % SECTOR)) % SECTOR))
  return Buffer.concat(parts)
}

function directorySize(directory: Directory, tree: 0 | 1, isRoot: boolean): number {
  return packed(directoryRecords(directory, tree, isRoot, Buffer.alloc(7))).length
}

function writeDirectory(directory: Directory, tree: 0 | 1, isRoot: boolean, stamp: Buffer): Buffer {
  return packed(directoryRecords(directory, tree, isRoot, stamp))
}

// --- path tables

function tableId(directory: Directory, tree: number): Buffer {
  return directory.parent === directory ? Buffer.from([0]) : identifier(directory, directory.parent.children, tree)
}

function pathTableSize(directories: readonly Directory[], tree: number): number {
  return directories.reduce((sum, directory) => {
    const { length } = tableId(directory, tree)
    return sum + 8 + length + (length % 2)
  }, 0)
}

function pathTable(directories: readonly Directory[], tree: 0 | 1, big: boolean): Buffer {
  return Buffer.concat(
    directories.map((directory) => {
      const id = tableId(directory, tree)
      const bytes = Buffer.alloc(8 + id.length + (id.length % 2))
      const parent = directories.indexOf(directory.parent) + 1
      bytes[0] = id.length
      if (big) {
        bytes.writeUInt32BE(directory.at[tree], 2)
        bytes.writeUInt16BE(parent, 6)
      } else {
        bytes.writeUInt32LE(directory.at[tree], 2)
        bytes.writeUInt16LE(parent, 6)
      }
      id.copy(bytes, 8)
      return bytes
    }),
  )
}

// --- volume descriptors

interface DescriptorFacts extends IsoOptions {
  sectors: number
  table: { little: number; big: number }
  tableSize: number
}

function descriptor(root: Directory, tree: 0 | 1, facts: DescriptorFacts): Buffer {
  const bytes = Buffer.alloc(SECTOR)
  const text = (at: number, length: number, value: string): void => {
    if (tree === 0) bytes.write(value.padEnd(length, ' '), at, length, 'latin1')
    else Buffer.from(value.padEnd(Math.floor(length / 2), ' '), 'utf16le').swap16().copy(bytes, at)
  }
  bytes[0] = tree === 0 ? 1 : 2
  bytes.write('CD001\x01', 1, 'latin1')
  text(8, 32, 'LINUX')
  text(40, 32, facts.label)
  both32(bytes, 80, facts.sectors)
  if (tree === 1) bytes.write('%/E', 88, 'latin1') // UCS-2 level 3
  both16(bytes, 120, 1)
  both16(bytes, 124, 1)
  both16(bytes, 128, SECTOR)
  both32(bytes, 132, facts.tableSize)
  bytes.writeUInt32LE(facts.table.little, 140)
  bytes.writeUInt32BE(facts.table.big, 148)
  record(Buffer.from([0]), root.at[tree], root.size[tree], true, recordTime(facts.time), Buffer.alloc(0)).copy(bytes, 156)
  for (const [at, length] of [[190, 128], [318, 128], [446, 128], [574, 128], [702, 37], [739, 37], [776, 37]] as const) text(at, length, '')
  const when = `${new Date(facts.time).toISOString().replaceAll(/[-:TZ.]/g, '').slice(0, 16)}`
  for (const at of [813, 830, 864]) bytes.write(`${when}\0`, at, 'latin1')
  bytes.write('0000000000000000\0', 847, 'latin1')
  bytes[881] = 1
  return bytes
}

function recordTime(ms: number): Buffer {
  const date = new Date(ms)
  return Buffer.from([date.getUTCFullYear() - 1900, date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(), 0])
}

function both32(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value, at)
  bytes.writeUInt32BE(value, at + 4)
}

function both16(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt16LE(value, at)
  bytes.writeUInt16BE(value, at + 2)
}

function sectorsOf(bytes: number): number {
  return Math.ceil(bytes / SECTOR)
}
