/**
 * Running a tool (law 12): argument array, time limit, output limit, no shell. Every call is a span of the request it serves.
 * Only `host/` calls this.
 */
import { spawn } from 'node:child_process'
import { Fault } from '../fault.ts'

export interface RunOptions {
  /** Milliseconds; then SIGKILL. Default 30,000. */
  timeout?: number
  /** Bytes of standard output kept; more is an error. Default 16 MiB. */
  maxOutput?: number
  input?: string | Buffer
  cwd?: string
  env?: Readonly<Record<string, string>>
  signal?: AbortSignal
  /** Exit codes that are not errors. Default [0]. */
  okCodes?: readonly number[]
}

export interface RunResult {
  code: number
  stdout: string
  stderr: string
}

/** The way a tool is run; a fake of it makes every `host/` wrapper testable. */
export type Run = (tool: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>

export const run: Run = (tool, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(tool, [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', ...options.env },
      ...(options.signal ? { signal: options.signal } : {}),
    })
    const limit = options.maxOutput ?? 16 * 2 ** 20
    const out: Buffer[] = []
    const err: Buffer[] = []
    let size = 0
    let failure: string | undefined
    const stop = (why: string): void => {
      failure ??= why
      child.kill('SIGKILL')
    }
    const timer = setTimeout(() => stop(`took longer than ${options.timeout ?? 30_000} ms`), options.timeout ?? 30_000)
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) stop(`printed more than ${limit} bytes`)
      else out.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (err.length < 64) err.push(chunk)
    })
    child.on('error', (thrown) => {
      clearTimeout(timer)
      reject(new Fault('internal', `${tool} could not be run`, { cause: thrown }))
    })
    child.on('close', (code, killed) => {
      clearTimeout(timer)
      const result = { code: code ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
      if (failure) reject(new Fault('internal', `${tool} ${failure}`, { detail: args.join(' ') }))
      else if (killed) reject(new Fault('internal', `${tool} was ended by ${killed}`, { detail: args.join(' ') }))
      else if (!(options.okCodes ?? [0]).includes(result.code)) {
        const said = result.stderr.trim().split('\n').slice(-3).join(' | ')
        reject(new Fault('internal', `${tool} failed with exit code ${result.code}`, { detail: `${args.join(' ')}: ${said}`, data: { stderr: result.stderr } }))
      } else resolve(result)
    })
    child.stdin.on('error', () => {
      // The tool may end without reading its input; its exit code tells.
    })
    child.stdin.end(options.input)
  })
