/**
 * The structured log. A message is fixed text (capital, past tense, no full stop) and its facts are keys:
 * `log.info('Created server', { server_id })`. The request's scope is added by itself. Log once, where a thing is handled.
 *
 * Two forms: JSON lines for programs, and for people the line OpenStack's operators know:
 * `2026-11-21 00:21:05.123 4711 INFO nova.api [req-… user project - udomain pdomain] [instance: …] Created server`.
 */
import { currentScope } from './scope.ts'
import { faultChain } from './fault.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error' | 'silent'
export type LogFacts = Readonly<Record<string, unknown>>

export interface Log {
  debug(message: string, facts?: LogFacts): void
  info(message: string, facts?: LogFacts): void
  warn(message: string, facts?: LogFacts): void
  error(message: string, facts?: LogFacts): void
  /** The same log under a dotted module name, e.g. `nova.api`. */
  module(name: string): Log
  /** Writes out what is buffered. */
  flush(): void
}

export interface LogSink {
  write(line: string): void
  flushSync?(): void
}

export interface LogOptions {
  level: Level
  /** Each sink gets JSON lines or person's lines. */
  sinks: readonly { form: 'json' | 'person'; sink: LogSink }[]
}

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

/**
 * Every request writes a line, so a line is put together by hand: its head once for each module and level, its time once for each
 * millisecond, and no object in between.
 */
export function createLog(options: LogOptions): Log {
  const { sinks } = options
  const least = LEVELS.indexOf(options.level)
  const emit = (line: string): void => {
    for (const { form, sink } of sinks) sink.write(form === 'json' ? line : personLine(line))
  }
  const make = (module: string | undefined): Log => {
    const tail = module === undefined ? '' : `,"module":${JSON.stringify(module)}`
    const at = (level: Exclude<Level, 'silent'>): Log['info'] => {
      if (LEVELS.indexOf(level) < least) return () => {}
      const head = `{"level":"${level}","pid":${process.pid},"time":"`
      return (message, facts) => emit(`${head}${timeText()}"${tail}${scopeText(facts)}${factsText(facts)},"msg":${JSON.stringify(message)}}\n`)
    }
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      module: make,
      flush: () => {
        for (const { sink } of sinks) sink.flushSync?.()
      },
    }
  }
  return make(undefined)
}

let lastTime = 0
let lastText = ''

function timeText(): string {
  const now = Date.now()
  if (now !== lastTime) {
    lastTime = now
    lastText = new Date(now).toISOString()
  }
  return lastText
}

/** The request's scope, as far as the line's own facts do not say otherwise. */
function scopeText(facts: LogFacts | undefined): string {
  const scope = currentScope() as Readonly<Record<string, string | undefined>> | undefined
  if (!scope) return ''
  let out = ''
  for (const key in scope) if (key !== 'span' && scope[key] !== undefined && facts?.[key] === undefined) out += `,"${key}":${JSON.stringify(scope[key])}`
  return out
}

function factsText(facts: LogFacts | undefined): string {
  let out = ''
  for (const key in facts) {
    const value = facts[key]
    if (value === undefined || typeof value === 'function' || typeof value === 'symbol') continue
    out += `,${JSON.stringify(key)}:${key === 'error' && value instanceof Error ? JSON.stringify(faultChain(value)) : valueText(value)}`
  }
  return out
}

function valueText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null'
  } catch {
    // A cycle or a bigint: a line that says less is better than none.
    return JSON.stringify(String(value))
  }
}

/** A log that says nothing, for tests. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  module: () => silentLog,
  flush: () => {},
}

const OWN_KEYS = new Set(['level', 'pid', 'time', 'module', 'msg', 'request_id', 'global_request_id', 'user_id', 'project_id', 'user_domain_id', 'project_domain_id', 'resource_id'])

/** One JSON log line as the line for a person. */
export function personLine(json: string): string {
  const entry = JSON.parse(json) as Record<string, unknown>
  const text = (key: string): string => (typeof entry[key] === 'string' ? entry[key] : '-')
  const request = entry.request_id
    ? `[${entry.global_request_id ? `${text('global_request_id')} ` : ''}${text('request_id')} ${text('user_id')} ${text('project_id')} - ${text('user_domain_id')} ${text('project_domain_id')}] `
    : '[-] '
  const resource = entry.resource_id ? `[instance: ${text('resource_id')}] ` : ''
  const facts = Object.entries(entry)
    .filter(([key]) => !OWN_KEYS.has(key))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
  const time = text('time').replace('T', ' ').replace('Z', '')
  return `${time} ${String(entry.pid)} ${text('level').toUpperCase()} ${text('module')} ${request}${resource}${text('msg')}${facts ? ` ${facts}` : ''}\n`
}
