/** Identifiers. OpenStack knows two spellings of a UUID: with dashes (most), and 32 hex digits (Keystone's). */
import type { Random } from './random.ts'

declare const kind: unique symbol
/** A string that is the id of one kind of thing only: passing a `VolumeId` where a `ServerId` is wanted fails to compile. */
export type Id<Kind extends string> = string & { readonly [kind]: Kind }

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const DASHED = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** True for a UUID in either spelling, as oslo's `is_uuid_like`. */
export function isUuidLike(text: string): boolean {
  return UUID.test(text)
}

/** True for a UUID with dashes. */
export function isUuid(text: string): boolean {
  return DASHED.test(text)
}

/** 32 lower-case hex digits, the form of Keystone's ids. */
export function hexId(random: Random): string {
  return random.uuid().replaceAll('-', '')
}

/** `req-<uuid>`, the id that runs through every call and every log line of one request. */
export function requestId(random: Random): string {
  return `req-${random.uuid()}`
}

const REQUEST_ID = /^req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** True for what a client may hand in as `X-OpenStack-Request-Id`: anything else is ignored, never logged. */
export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text)
}
