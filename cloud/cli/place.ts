/** Where a cloud on this machine keeps its things, and how to reach it while it runs. */
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { remoteHandler } from '#base/http/client.ts'
import { type HttpResponse, readBody } from '#base/http/message.ts'
import { invalid } from '#base/fault.ts'

export interface Place {
  dir: string
  pidFile: string
  /** Of who moves the database while no cloud runs. */
  moverFile: string
  socket: string
  cloudsYaml: string
  logFile: string
  traceDir: string
}

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

export function placeOf(data: string | undefined): Place {
  const dir = resolve(data ?? process.env.ONDOL_DATA ?? join(process.env.ONDOL_HOME ?? join(root, '.ondol'), 'data'))
  return {
    dir,
    pidFile: join(dir, 'ondol.pid'),
    moverFile: join(dir, 'move.pid'),
    socket: join(dir, 'control.sock'),
    cloudsYaml: join(dir, 'clouds.yaml'),
    logFile: join(dir, 'log', 'ondol.log'),
    traceDir: join(dir, 'trace'),
  }
}

/** The id of the process that runs this cloud, or undefined. */
export const runningPid = (place: Place): Promise<number | undefined> => pidIn(place.pidFile)

/** Throws while a command moves the database: what a cloud would change in it after the switch would be lost. */
export async function assertNobodyMoves(place: Place): Promise<void> {
  const pid = await pidIn(place.moverFile)
  if (pid) throw invalid(`The database of this cloud is being moved by the process ${pid} (./ondol data move): wait until it is done, or stop it with Ctrl-C.`)
}

async function pidIn(file: string): Promise<number | undefined> {
  try {
    const pid = Number(await readFile(file, 'utf8'))
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8')
    return command.includes('cloud/cli/main.ts') ? pid : undefined
  } catch {
    return undefined
  }
}

/** Asks the running cloud over its control socket (a file that only its owner may open). */
export async function ask(place: Place, method: string, path: string, query = '', body?: object): Promise<unknown> {
  const handler = remoteHandler(`unix:${place.socket}`)
  let response: HttpResponse
  try {
    response = await handler({ method, path, query, headers: {}, body: body && JSON.stringify(body), origin: '', remote: '' })
  } catch {
    throw invalid(`No cloud runs in ${place.dir}. Start one: ./ondol up --detach`)
  }
  const text = (await readBody(response.body, 64 * 2 ** 20))!.toString()
  handler.close()
  if (response.status >= 400) throw invalid(text.trim())
  return text === '' ? undefined : JSON.parse(text)
}
