/**
 * The structured log. A message is fixed text (capital, past tense, no full stop) and its facts are keys:
 * `log.info('Created server', { server_id })`. The request's scope is added by itself. Log once, where a thing is handled.
 *
 * Two forms: JSON lines for programs, and for people the line OpenStack's operators know:
 * `2026-11-21 00:21:05.123 4711 INFO nova.api [req-… user project - udomain pdomain] [instance: …] Created server`.
 */
import pino from 'pino'
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
}

export interface LogOptions {
  level: Level
  /** Each sink gets JSON lines or person's lines. */
  sinks: readonly { form: 'json' | 'person'; sink: LogSink }[]
}

export function createLog(options: LogOptions): Log {
  const stream = {
    write(line: string): void {
      for (const { form, sink } of options.sinks) sink.write(form === 'json' ? line : personLine(line))
    },
  }
  const root = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label, pid: process.pid }) },
      mixin: () => scopeFacts(),
      serializers: { error: (thrown: unknown) => (thrown instanceof Error ? faultChain(thrown) : thrown) },
    },
    stream,
  )
  return wrap(root)
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

/** A buffered, asynchronous file sink (mode 0600); `flush` at stop. */
export function fileSink(path: string): LogSink & { flushSync(): void } {
  return pino.destination({ dest: path, mkdir: true, sync: false, minLength: 0, mode: 0o600 })
}

function wrap(logger: pino.Logger): Log {
  return {
    debug: (message, facts) => logger.debug(facts ?? {}, message),
    info: (message, facts) => logger.info(facts ?? {}, message),
    warn: (message, facts) => logger.warn(facts ?? {}, message),
    error: (message, facts) => logger.error(facts ?? {}, message),
    module: (name) => wrap(logger.child({ module: name })),
    flush: () => logger.flush(),
  }
}

function scopeFacts(): object {
  const scope = currentScope()
  if (!scope) return {}
  const { span: _, ...facts } = scope
  return facts
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
