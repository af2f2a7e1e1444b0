/** ISO 9660: the first volume descriptor stands at 32 KiB. A guest sees the file as it is, so its size is the virtual size. */
import { type Inspection, hasText } from './inspection.ts'

const DESCRIPTOR_AT = 32 * 1024

export function isIso(head: Buffer): boolean {
  return hasText(head, DESCRIPTOR_AT + 1, 'CD001')
}

export function* inspectIso(_head: Buffer): Inspection {
  const { size } = yield { tail: 0 }
  return { format: 'iso', virtual_size: size }
}
