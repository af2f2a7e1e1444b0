/** LUKS: version 1 is what QEMU opens. The guest sees what follows the header. */
import { type Inspection, broken, hasText, problem } from './inspection.ts'

const HEADER = 592

export function isLuks(head: Buffer): boolean {
  return hasText(head, 0, 'LUKS\xba\xbe')
}

export function* inspectLuks(head: Buffer): Inspection {
  const format = 'luks'
  if (head.length < HEADER) return broken(format, 'the file is too short')
  const version = head.readUInt16BE(6)
  if (version !== 1) return { format, problem: problem('unsupported', `The luks image has version ${version}; only version 1 is supported.`) }
  const payload = head.readUInt32BE(104) * 512
  const { size } = yield { tail: 0 }
  if (payload < HEADER || payload > size) return broken(format, 'place of the payload')
  return { format, virtual_size: size - payload, subformat: 'luks1' }
}
