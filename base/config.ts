/**
 * Configuration: one `ondol.yaml`, then the environment (`ONDOL_NOVA__SCHEDULER=chance`), then flags; the last one wins. What may be set
 * is a JSON Schema with defaults and descriptions; a key that is not in it is an error that names the nearest one that is.
 */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { Compile } from 'typebox/schema'
import { invalid } from './fault.ts'

export interface ConfigSchema {
  type: 'object'
  properties: Readonly<Record<string, ConfigNode>>
  description?: string
}

export type ConfigNode = ConfigSchema | ({ description: string; default?: unknown; type?: string | string[]; enum?: readonly unknown[] } & Readonly<Record<string, unknown>>)

export type ConfigValues = Record<string, unknown>

export interface ConfigSources {
  file?: string | undefined
  /** Name of this machine: what the file says under `hosts: { <name>: … }` is laid over the rest of it. */
  host?: string | undefined
  env?: Readonly<Record<string, string | undefined>>
  /** Dotted keys: `{ 'http.port': 5001 }`. */
  flags?: Readonly<Record<string, unknown>>
}

export async function loadConfig(schema: ConfigSchema, sources: ConfigSources): Promise<ConfigValues> {
  const values: ConfigValues = {}
  if (sources.file) {
    let parsed: unknown
    try {
      parsed = parse(await readFile(sources.file, 'utf8'))
    } catch (thrown) {
      throw invalid(`The configuration ${sources.file} cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown })
    }
    if (parsed !== null && parsed !== undefined) {
      if (typeof parsed !== 'object' || Array.isArray(parsed)) throw invalid(`The configuration ${sources.file} must be a map of keys`)
      const { hosts, ...common } = parsed as ConfigValues
      merge(schema, values, common, sources.file, '')
      mergeHosts(schema, values, hosts, sources.file, sources.host)
    }
  }
  for (const [name, text] of Object.entries(sources.env ?? {})) {
    if (!name.startsWith('ONDOL_') || text === undefined) continue
    const path = name.slice('ONDOL_'.length).toLowerCase().split('__')
    // Variables of the launcher and of tests share the prefix; only those that name a section are configuration.
    if (path.length < 2 || !(path[0]! in schema.properties)) continue
    merge(schema, values, nest(path, readScalar(text)), `environment variable ${name}`, '')
  }
  for (const [key, value] of Object.entries(sources.flags ?? {})) {
    if (value !== undefined) merge(schema, values, nest(key.split('.'), value), `flag for ${key}`, '')
  }
  return withDefaults(schema, values) as ConfigValues
}

/** One file for all machines: each has a section of its own. Those of the others are judged too, so that a slip shows at once. */
function mergeHosts(schema: ConfigSchema, into: ConfigValues, hosts: unknown, file: string, host: string | undefined): void {
  if (hosts === undefined || hosts === null) return
  if (typeof hosts !== 'object' || Array.isArray(hosts)) throw invalid(`${file}: "hosts" must be a map of host names`, { field: 'hosts' })
  for (const [name, section] of Object.entries(hosts)) {
    if (typeof section !== 'object' || section === null || Array.isArray(section)) throw invalid(`${file}: "hosts.${name}" must be a map of keys`, { field: `hosts.${name}` })
    merge(schema, name === host ? into : {}, section as ConfigValues, `${file}, hosts.${name}`, '')
  }
}

/** Defaults of a schema, with `given` laid over them. */
export function withDefaults(schema: ConfigNode, given: unknown): unknown {
  if (!isSection(schema)) return given === undefined ? structuredClone((schema as { default?: unknown }).default) : given
  const out: ConfigValues = {}
  for (const [key, node] of Object.entries(schema.properties)) {
    const value = withDefaults(node, (given as ConfigValues | undefined)?.[key])
    if (value !== undefined) out[key] = value
  }
  return out
}

function merge(schema: ConfigSchema, into: ConfigValues, from: ConfigValues, where: string, prefix: string): void {
  for (const [key, value] of Object.entries(from)) {
    const node = schema.properties[key]
    const path = prefix === '' ? key : `${prefix}.${key}`
    if (!node) {
      const near = nearest(key, Object.keys(schema.properties))
      throw invalid(`${where}: unknown key "${path}"${near ? `; did you mean "${prefix === '' ? near : `${prefix}.${near}`}"?` : ''}`, { field: path })
    }
    if (isSection(node)) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${where}: "${path}" must be a map of keys`, { field: path })
      merge(node, (into[key] ??= {}) as ConfigValues, value as ConfigValues, where, path)
    } else {
      const checker = Compile(node as Parameters<typeof Compile>[0])
      if (!checker.Check(value)) {
        const allowed = (node as { enum?: readonly unknown[] }).enum
        throw invalid(`${where}: "${path}" must be ${allowed ? `one of ${allowed.join(', ')}` : `of type ${String((node as { type?: unknown }).type)}`}, not ${JSON.stringify(value)}`, { field: path })
      }
      into[key] = value
    }
  }
}

function isSection(node: ConfigNode): node is ConfigSchema {
  return 'properties' in node
}

function nest(path: string[], value: unknown): ConfigValues {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as ConfigValues
}

function readScalar(text: string): unknown {
  try {
    return parse(text)
  } catch {
    return text
  }
}

/** The word with the fewest edits away, when that is near enough to be a slip. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  let best: { word: string; distance: number } | undefined
  for (const other of words) {
    const distance = edits(word, other)
    if (!best || distance < best.distance) best = { word: other, distance }
  }
  return best && best.distance <= Math.max(2, word.length / 3) ? best.word : undefined
}

function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
