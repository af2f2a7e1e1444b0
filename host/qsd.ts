/**
 * One `qemu-storage-daemon`: it opens disk files and serves them over NBD, and it outlives us. `open` adopts the daemon of the run
 * folder or starts one; what it serves is asked of it, never remembered here.
 *
 * Whoever dies first: when we die the daemon serves on, and the next `open` finds it by its pid file. When it dies, `on_lost` is
 * called and the owner ensures its nodes and exports again; its clients wait for it meanwhile (QEMU's `reconnect-delay`).
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { conflict, internal, invalid, isFault, unavailable } from '#base/fault.ts'
import { run as realRun, type Run } from '#base/process/run.ts'
import { endProcess, findProcess, type OwnProcess, waitEnd } from './pidfile.ts'
import type { BlockNode } from './qemu-machine.ts'
import { connectQmp, type QmpConnection, qmpReason } from './qmp.ts'

/** Where NBD clients find the daemon. */
export type NbdAddress = { readonly type: 'unix'; readonly path: string } | { readonly type: 'inet'; readonly host: string; readonly port: number }

export interface StorageDaemonOptions {
  /** Absolute; holds sockets and the pid file. Short: a socket's path has at most 107 bytes. */
  run_folder: string
  /** Default: a unix socket in the run folder. NBD has no password: a TCP address must be on a network that tenants cannot reach. */
  listen?: { host: string; port: number }
  /** Called when the daemon or the connection to it was lost, not for `close` and `end`. */
  on_lost?: () => void
  run?: Run
  binary?: string
  /** Milliseconds for a start. Default 60,000. */
  start_timeout?: number
}

export interface NbdExport {
  id: string
  /** The node it serves. */
  node: string
  /** What clients ask for. */
  name: string
  writable: boolean
}

const SOCKET_PATH_LIMIT = 107

export class StorageDaemon {
  readonly address: NbdAddress
  readonly #options: StorageDaemonOptions
  readonly #pidfile: string
  readonly #monitor: string
  #connection: Promise<QmpConnection> | undefined
  #closing = false

  constructor(options: StorageDaemonOptions) {
    const { run_folder, listen } = options
    if (!run_folder.startsWith('/')) throw invalid('The run folder must be an absolute path.', { field: 'run_folder' })
    this.#options = options
    this.#pidfile = join(run_folder, 'qsd.pid')
    this.#monitor = join(run_folder, 'qsd.qmp')
    const path = join(run_folder, 'nbd.sock')
    this.address = listen ? { type: 'inet', ...listen } : { type: 'unix', path }
    if (Buffer.byteLength(path) > SOCKET_PATH_LIMIT) throw invalid(`The run folder's path is too long for a socket in it (${SOCKET_PATH_LIMIT} bytes).`, { field: 'run_folder' })
  }

  /** Adopts or starts the daemon. `unavailable` when it cannot be reached, e.g. because another process commands it. */
  async open(): Promise<void> {
    await this.#qmp()
  }

  /** The process, if it lives. */
  async process(): Promise<OwnProcess | undefined> {
    return findProcess(this.#pidfile, ['--pidfile', this.#pidfile])
  }

  async hasNode(name: string): Promise<boolean> {
    return (await this.#node(name)) !== undefined
  }

  /** A node that is there stays as it is. */
  async ensureNode(node: BlockNode): Promise<void> {
    if (!(await this.hasNode(node['node-name']))) await this.#execute('blockdev-add', node)
  }

  /** Closes the file. `internal` while an export uses it. */
  async ensureNoNode(name: string): Promise<void> {
    if (await this.hasNode(name)) await this.#execute('blockdev-del', { 'node-name': name })
  }

  async ensureExport(wish: NbdExport): Promise<void> {
    if ((await this.exports()).includes(wish.id)) return
    await this.#execute('block-export-add', { type: 'nbd', id: wish.id, 'node-name': wish.node, name: wish.name, writable: wish.writable })
  }

  /** Cuts its clients off. Returns when none can write any more. */
  async ensureNoExport(id: string): Promise<void> {
    if (!(await this.exports()).includes(id)) return
    const qmp = await this.#qmp()
    const gone = qmp.waitEvent('BLOCK_EXPORT_DELETED', { match: (event) => event.data.id === id })
    await this.#execute('block-export-del', { id, mode: 'hard' })
    await gone
  }

  /** Ids of the exports. */
  async exports(): Promise<string[]> {
    const list = await this.#execute<{ id: string }[]>('query-block-exports')
    return list.map((each) => each.id)
  }

  /** `size` in bytes. QEMU refuses it while the node is exported. */
  async resize(node: string, size: number): Promise<void> {
    await this.#execute('block_resize', { 'node-name': node, size }, 120_000)
  }

  /** Names of the snapshots inside the node's qcow2, oldest first. */
  async snapshots(node: string): Promise<string[]> {
    const found = await this.#node(node)
    if (!found) throw internal(`The storage daemon has no node ${node}`)
    return (found.image.snapshots ?? []).map((each) => each.name)
  }

  /** Inside the qcow2 of each node, at one moment for all of them: all or none. */
  async snapshot(wishes: readonly { node: string; name: string }[]): Promise<void> {
    if (wishes.length === 0) return
    const actions = wishes.map(({ node, name }) => ({ type: 'blockdev-snapshot-internal-sync', data: { device: node, name } }))
    await this.#execute('transaction', { actions }, 600_000)
  }

  async deleteSnapshot(node: string, name: string): Promise<void> {
    await this.#execute('blockdev-snapshot-delete-internal-sync', { device: node, name }, 600_000)
  }

  /** Lets go of the daemon; it serves on. */
  async close(): Promise<void> {
    this.#closing = true
    const connection = this.#connection
    this.#connection = undefined
    const qmp = await connection?.catch(() => undefined)
    qmp?.close()
  }

  /** Ends the daemon, with everything it serves. */
  async end(): Promise<void> {
    this.#closing = true
    const own = await this.process()
    if (own) {
      const qmp = await this.#qmp().catch(() => undefined)
      await qmp?.execute('quit').catch(() => {})
      if (!(await waitEnd(own, 5_000))) await endProcess(own)
    }
    await this.close()
  }

  async #node(name: string) {
    const nodes = await this.#execute<{ 'node-name': string; image: { snapshots?: { name: string }[] } }[]>('query-named-block-nodes', { flat: true })
    return nodes.find((node) => node['node-name'] === name)
  }

  async #execute<T>(command: string, args?: Readonly<Record<string, unknown>>, timeout?: number): Promise<T> {
    const qmp = await this.#qmp()
    try {
      return await qmp.execute<T>(command, args, timeout === undefined ? {} : { timeout })
    } catch (thrown) {
      const reason = qmpReason(thrown)
      if (/another process using the image|Failed to get .* lock/.test(reason)) throw conflict('The disk is in use by another process.', { code: 'qsd.disk_in_use', cause: thrown, detail: reason })
      throw thrown
    }
  }

  #qmp(): Promise<QmpConnection> {
    if (this.#connection) return this.#connection
    const connection = this.#reach()
    this.#connection = connection
    const forget = (): void => {
      if (this.#connection === connection) this.#connection = undefined
    }
    connection.then(
      (qmp) =>
        qmp.closed.then(() => {
          forget()
          if (!this.#closing) this.#options.on_lost?.()
        }),
      forget,
    )
    return connection
  }

  async #reach(): Promise<QmpConnection> {
    if (!(await this.process())) await this.#start()
    else if (!(await findProcess(this.#pidfile, [this.#nbdArgument()]))) {
      throw conflict('The storage daemon that runs listens at another address: detach every volume and end it, or keep the address.', { code: 'qsd.address' })
    }
    return connectQmp(this.#monitor, { timeout: this.#options.start_timeout ?? 60_000 })
  }

  async #start(): Promise<void> {
    await mkdir(this.#options.run_folder, { recursive: true, mode: 0o700 })
    const run = this.#options.run ?? realRun
    const args = [
      ...['--nbd-server', this.#nbdArgument()],
      ...['--chardev', `socket,id=monitor,path=${escaped(this.#monitor)},server=on,wait=off`, '--monitor', 'chardev=monitor'],
      ...['--daemonize', '--pidfile', this.#pidfile],
    ]
    try {
      await run(this.#options.binary ?? 'qemu-storage-daemon', args, { timeout: this.#options.start_timeout ?? 60_000 })
    } catch (thrown) {
      const said = isFault(thrown) && typeof thrown.data.stderr === 'string' ? thrown.data.stderr.trim() : ''
      throw unavailable('The storage daemon could not be started.', { cause: thrown, detail: said })
    }
  }

  #nbdArgument(): string {
    const { address } = this
    return address.type === 'unix' ? `addr.type=unix,addr.path=${escaped(address.path)},max-connections=0` : `addr.type=inet,addr.host=${escaped(address.host)},addr.port=${address.port},max-connections=0`
  }
}

/** A comma inside a value of QEMU's key=value syntax is doubled. */
function escaped(value: string): string {
  return value.replaceAll(',', ',,')
}
