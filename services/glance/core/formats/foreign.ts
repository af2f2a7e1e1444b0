/** Formats that QEMU would open if it were left to guess, and that no Glance image may have. */
import { type DetectedFormat, type Inspection, hasText, problem } from './inspection.ts'

const MAGICS: readonly (readonly [string, DetectedFormat])[] = [
  ['QED\0', 'qed'],
  ['Bochs Virtual HD Image', 'bochs'],
  ['#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n', 'cloop'],
]

export function foreignFormat(head: Buffer): DetectedFormat | undefined {
  return MAGICS.find(([magic]) => hasText(head, 0, magic))?.[1]
}

// oxlint-disable-next-line require-yield -- the magic says it all
export function* inspectForeign(head: Buffer): Inspection {
  const format = foreignFormat(head) ?? 'raw'
  return { format, problem: problem('unsupported', `The image is a ${format} image, which is not supported.`) }
}
