/**
 * The ears of the metadata service: one listener in each router's and each DHCP namespace, accepted here. Which network or router a
 * request comes from is known by the listener it reached; no header says so.
 */
import type { NamespaceHttp, ServeInNamespace } from '#host/namespace-http.ts'
import type { NamespaceAddress } from '#host/namespace-listener.ts'
import type { MetadataHandler } from '../interface.ts'

type Identity = { network_id: string } | { router_id: string }

export class Metadata {
  handler: MetadataHandler | undefined
  readonly #ears = new Map<string, Promise<NamespaceHttp>>()
  readonly #serve: ServeInNamespace

  constructor(serve: ServeInNamespace) {
    this.#serve = serve
  }

  get wanted(): boolean {
    return this.handler !== undefined
  }

  /** Resolves when it listens; nothing happens when nobody wants to hear. */
  async ensure(where: NamespaceAddress, identity: Identity): Promise<void> {
    if (!this.wanted) return
    let ear = this.#ears.get(where.netns)
    if (!ear) {
      ear = this.#serve(where, (remote_address, request, response) => this.handler!({ ...identity, remote_address }, request, response))
      this.#ears.set(where.netns, ear)
      ear.catch(() => this.#ears.delete(where.netns))
    }
    await ear
  }

  async ensureNone(netns: string): Promise<void> {
    const ear = this.#ears.get(netns)
    this.#ears.delete(netns)
    const server = await ear?.catch(() => undefined)
    server?.close()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#ears.keys()].map((netns) => this.ensureNone(netns)))
  }
}
