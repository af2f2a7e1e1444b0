/** What a server needs of a host, as Placement is asked for it. */
import type { FlavorSnapshot } from '../store/tables.ts'

export interface Needs {
  /** What is claimed, by resource class. */
  resources: Record<string, number>
  /** Query of `GET /allocation_candidates`, without limits. */
  query: Record<string, string | string[]>
}

const GRANULAR = /^(resources|trait)(\d*):(.+)$/

/** `on_volume`: the root disk is a volume and takes nothing of the host. Extra specs `resources…:` and `trait…:` are heeded, and traits of the image. */
export function needsOf(flavor: FlavorSnapshot, on_volume: boolean, imageProperties: Readonly<Record<string, unknown>> = {}): Needs {
  const disk = (on_volume ? 0 : flavor.root_gb) + flavor.ephemeral_gb + Math.ceil(flavor.swap / 1_024)
  const groups = new Map<string, Record<string, number>>([['', { VCPU: flavor.vcpus, MEMORY_MB: flavor.memory_mb, DISK_GB: disk }]])
  const traits = new Map<string, string[]>()
  const add = (suffix: string, name: string, wish: string): void => {
    const trait = wish === 'required' ? name : wish === 'forbidden' ? `!${name}` : undefined
    if (trait !== undefined) traits.set(suffix, [...(traits.get(suffix) ?? []), trait])
  }
  for (const [key, value] of Object.entries(flavor.extra_specs)) {
    const match = GRANULAR.exec(key)
    if (!match) continue
    const [, kind, suffix, name] = match as unknown as [string, string, string, string]
    if (kind === 'trait') add(suffix, name, value)
    else if (/^\d+$/.test(value)) groups.set(suffix, { ...groups.get(suffix), [name]: Number(value) })
  }
  for (const [key, value] of Object.entries(imageProperties)) {
    const match = GRANULAR.exec(key)
    if (match && match[1] === 'trait') add(match[2]!, match[3]!, String(value))
  }
  const query: Needs['query'] = {}
  const total: Record<string, number> = {}
  for (const [suffix, wanted] of groups) {
    const present = Object.entries(wanted).filter(([, amount]) => amount > 0)
    if (present.length === 0) continue
    query[`resources${suffix}`] = present.map(([name, amount]) => `${name}:${amount}`).join(',')
    for (const [name, amount] of present) total[name] = (total[name] ?? 0) + amount
  }
  for (const [suffix, wanted] of traits) query[`required${suffix}`] = wanted.join(',')
  if ([...groups.keys()].filter((suffix) => suffix !== '').length > 1) query.group_policy = flavor.extra_specs.group_policy ?? 'none'
  return { resources: total, query }
}
