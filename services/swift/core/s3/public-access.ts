/** What holds for a bucket whatever its lists and its policy say: the public access block, and who owns what others bring. */
import { s3Fault } from './errors.ts'
import { child, parseXml, textOf } from './xml.ts'

export const BLOCKS = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'] as const
export type Block = Readonly<Record<(typeof BLOCKS)[number], boolean>>

export const NO_BLOCK: Block = { BlockPublicAcls: false, IgnorePublicAcls: false, BlockPublicPolicy: false, RestrictPublicBuckets: false }

export function parseBlock(bytes: Uint8Array): Block {
  const element = parseXml(bytes, 'PublicAccessBlockConfiguration')
  return Object.fromEntries(BLOCKS.map((name) => [name, textOf(element, name)?.toLowerCase() === 'true'])) as Block
}

export const OWNERSHIPS = ['ObjectWriter', 'BucketOwnerPreferred', 'BucketOwnerEnforced'] as const
export type Ownership = (typeof OWNERSHIPS)[number]

export function ownershipOf(text: string | undefined): Ownership {
  const found = OWNERSHIPS.find((each) => each === text)
  if (!found) throw s3Fault('InvalidArgument', 'Invalid x-amz-object-ownership header', { ArgumentName: 'x-amz-object-ownership', ArgumentValue: (text ?? '').slice(0, 60) })
  return found
}

export function parseOwnership(bytes: Uint8Array): Ownership {
  const rule = child(parseXml(bytes, 'OwnershipControls'), 'Rule')
  const found = OWNERSHIPS.find((each) => each === (rule && textOf(rule, 'ObjectOwnership')))
  if (!found) throw s3Fault('MalformedXML')
  return found
}
