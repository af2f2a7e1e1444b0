/**
 * Counts what the operating system does for this process: files and password hashes. It takes real time, so a virtual clock that ran on meanwhile
 * would make a run depend on the machine. Only for processes that simulate: it wraps functions of Node.
 */
import crypto from 'node:crypto'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

type AnyFunction = (...args: unknown[]) => unknown

let under = 0
const ended = (): void => void under--

/** True while something is under way. */
export const realWorkUnderWay = (): boolean => under > 0

async function track(): Promise<void> {
  const handle = await fs.promises.open('/dev/null')
  const prototype = Object.getPrototypeOf(handle) as Record<string, unknown>
  await handle.close()
  for (const name of ['appendFile', 'chmod', 'datasync', 'read', 'readFile', 'readv', 'stat', 'sync', 'truncate', 'utimes', 'write', 'writeFile', 'writev']) wrap(prototype, name, promised)
  const promises = fs.promises as unknown as Record<string, unknown>
  for (const name of Object.keys(promises)) if (name !== 'watch') wrap(promises, name, promised)
  wrap(promises, 'open', opened)
  const plain = fs as unknown as Record<string, unknown>
  for (const name of ['open', 'close', 'read', 'readv', 'write', 'writev', 'fstat', 'fsync', 'fdatasync']) wrap(plain, name, called)
  const hashes = crypto as unknown as Record<string, unknown>
  for (const name of ['argon2', 'scrypt', 'pbkdf2']) wrap(hashes, name, called)
  syncBuiltinESMExports()
}

await track()

function wrap(object: Record<string, unknown>, name: string, how: (original: AnyFunction) => AnyFunction): void {
  const original = object[name]
  if (typeof original === 'function') object[name] = how(original as AnyFunction)
}

function promised(original: AnyFunction): AnyFunction {
  return function (this: unknown, ...args) {
    const result = original.apply(this, args)
    if (result instanceof Promise) {
      under++
      result.then(ended, ended)
    }
    return result
  }
}

/** A handle's `close` is its own and not its kind's. */
function opened(original: AnyFunction): AnyFunction {
  return async function (this: unknown, ...args) {
    const handle = (await original.apply(this, args)) as Record<string, unknown>
    wrap(handle, 'close', promised)
    return handle
  }
}

/** For functions whose last argument is called back. */
function called(original: AnyFunction): AnyFunction {
  return function (this: unknown, ...args) {
    const back = args.at(-1)
    if (typeof back !== 'function') return original.apply(this, args)
    under++
    const told: AnyFunction = (...results) => {
      under--
      return (back as AnyFunction)(...results)
    }
    return original.apply(this, [...args.slice(0, -1), told])
  }
}
