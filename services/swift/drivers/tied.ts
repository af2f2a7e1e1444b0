/**
 * Ties the sums behind bytes to the id of these bytes: those of another object, whole and good as they may be, do not fit in its place. The same again
 * unties them. In place; `offset`: where in the whole table this piece of it begins.
 */
export function tied(table: Buffer, hex: string, offset = 0): Buffer {
  const key = Buffer.from(hex, 'hex')
  for (let i = 0; i < table.length; i++) table[i]! ^= key[(offset + i) % key.length]!
  return table
}
