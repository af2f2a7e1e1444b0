/** When a lifecycle rule takes an object away. */
import type { LifecycleRule, Tags } from './documents.ts'

export const DAY = 86_400_000

export interface Lived {
  name: string
  size: number
  tags: Tags
  /** Milliseconds. */
  created_at: number
}

/** A rule's day is over at the midnight (UTC) that follows. */
export const midnightAfter = (instant: number, days: number): number => Math.ceil((instant + days * DAY) / DAY) * DAY

export function fits(rule: LifecycleRule, one: Lived): boolean {
  return rule.enabled && one.name.startsWith(rule.prefix) && (rule.larger_than === undefined || one.size > rule.larger_than) && (rule.smaller_than === undefined || one.size < rule.smaller_than) && Object.entries(rule.tags).every(([key, value]) => one.tags[key] === value)
}

/** The earliest end that a rule sets for what stands now; undefined: none does. */
export function expiryOf(rules: readonly LifecycleRule[], one: Lived): { at: number; rule: string } | undefined {
  let first: { at: number; rule: string } | undefined
  for (const rule of rules) {
    if (!rule.expire || !fits(rule, one)) continue
    const at = 'at' in rule.expire ? rule.expire.at : midnightAfter(one.created_at, rule.expire.days)
    if (!first || at < first.at) first = { at, rule: rule.id }
  }
  return first
}

/** True when an old version goes: it has been one since `since`, and `newer` old versions are newer. */
export function versionEnds(rules: readonly LifecycleRule[], one: Lived, since: number, newer: number, now: number): boolean {
  return rules.some((rule) => rule.noncurrent !== undefined && fits(rule, one) && newer >= (rule.noncurrent.keep ?? 0) && midnightAfter(since, rule.noncurrent.days) <= now)
}

/** The storage class to which rules have moved what stands now, by this instant: that of the transition that was due last. */
export function classNow(rules: readonly LifecycleRule[], one: Lived, now: number): string | undefined {
  let last: { at: number; class: string } | undefined
  for (const rule of rules) {
    if (!rule.transitions || !fits(rule, one)) continue
    for (const each of rule.transitions) {
      const at = 'at' in each ? each.at : midnightAfter(one.created_at, each.days)
      if (at <= now && (!last || at >= last.at)) last = { at, class: each.class }
    }
  }
  return last?.class
}

/** The same of an old version: it has been one since `since`, and `newer` old versions are newer. */
export function versionClassNow(rules: readonly LifecycleRule[], one: Lived, since: number, newer: number, now: number): string | undefined {
  let last: { days: number; class: string } | undefined
  for (const rule of rules) {
    if (!rule.noncurrent_transitions || !fits(rule, one)) continue
    for (const each of rule.noncurrent_transitions) if (newer >= (each.keep ?? 0) && midnightAfter(since, each.days) <= now && (!last || each.days >= last.days)) last = each
  }
  return last?.class
}

/** A marker with nothing behind it goes at once by one kind of rule, and as old as an object by the other. */
export function markerEnds(rules: readonly LifecycleRule[], one: Lived, now: number): boolean {
  return rules.some((rule) => fits(rule, one) && (rule.expired_delete_marker === true || (rule.expire !== undefined && ('at' in rule.expire ? rule.expire.at : midnightAfter(one.created_at, rule.expire.days)) <= now)))
}

export function uploadEnds(rules: readonly LifecycleRule[], one: { name: string; created_at: number }, now: number): boolean {
  return rules.some((rule) => rule.enabled && rule.abort_uploads_days !== undefined && one.name.startsWith(rule.prefix) && midnightAfter(one.created_at, rule.abort_uploads_days) <= now)
}
