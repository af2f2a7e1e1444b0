/** A whole qcow2 in memory from the blocks that were written: small, plain, and right enough for any reader. */

const CLUSTER = 65_536
const PER_TABLE = CLUSTER / 8
const PER_REFCOUNT_BLOCK = CLUSTER / 2
const COPIED = 1n << 63n

/** `blocks`: offset (a multiple of `blockSize`, which divides 64 KiB) → bytes. */
export function qcow2File(size: number, blocks: ReadonlyMap<number, Uint8Array>): Buffer {
  const data = new Map<number, Buffer>()
  for (const [offset, bytes] of blocks) {
    const index = Math.floor(offset / CLUSTER)
    const cluster = data.get(index) ?? Buffer.alloc(CLUSTER)
    cluster.set(bytes, offset % CLUSTER)
    data.set(index, cluster)
  }
  const tables = [...new Set([...data.keys()].map((index) => Math.floor(index / PER_TABLE)))].sort((a, b) => a - b)
  const l1Entries = Math.max(1, Math.ceil(size / (CLUSTER * PER_TABLE)))
  const l1Clusters = Math.ceil((l1Entries * 8) / CLUSTER)
  // Header, refcount table, refcount blocks, L1, L2 tables, data; one refcount block counts 32,768 clusters.
  let blocksOfCounts = 1
  const total = (): number => 2 + blocksOfCounts + l1Clusters + tables.length + data.size
  while (total() > blocksOfCounts * PER_REFCOUNT_BLOCK) blocksOfCounts++

  const file = Buffer.alloc(total() * CLUSTER)
  const l1At = (2 + blocksOfCounts) * CLUSTER
  file.write('QFI\xfb', 0, 'latin1')
  file.writeUInt32BE(3, 4)
  file.writeUInt32BE(16, 20)
  file.writeBigUInt64BE(BigInt(size), 24)
  file.writeUInt32BE(l1Entries, 36)
  file.writeBigUInt64BE(BigInt(l1At), 40)
  file.writeBigUInt64BE(BigInt(CLUSTER), 48)
  file.writeUInt32BE(1, 56)
  file.writeUInt32BE(4, 96)
  file.writeUInt32BE(104, 100)
  for (let block = 0; block < blocksOfCounts; block++) file.writeBigUInt64BE(BigInt((2 + block) * CLUSTER), CLUSTER + block * 8)
  for (let cluster = 0; cluster < total(); cluster++) file.writeUInt16BE(1, 2 * CLUSTER + cluster * 2)

  let free = l1At + l1Clusters * CLUSTER
  const tableAt = new Map<number, number>()
  for (const table of tables) {
    tableAt.set(table, free)
    file.writeBigUInt64BE(BigInt(free) | COPIED, l1At + table * 8)
    free += CLUSTER
  }
  for (const [index, bytes] of [...data].sort(([a], [b]) => a - b)) {
    file.writeBigUInt64BE(BigInt(free) | COPIED, tableAt.get(Math.floor(index / PER_TABLE))! + (index % PER_TABLE) * 8)
    bytes.copy(file, free)
    free += CLUSTER
  }
  return file
}
