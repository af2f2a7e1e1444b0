/** Neutron, Glance and Cinder as far as Nova asks them, in memory: what they hold is plain to see, and they can be told to fail. */
import type { HttpHandler, HttpRequest, HttpResponse } from '#base/http/message.ts'
import { readBody } from '#base/http/message.ts'
import type { Random } from '#base/random.ts'

type Row = Record<string, unknown> & { id: string }
type Answer = { status?: number; json?: unknown; body?: string }
// Nova sends what the contracts say.
// oxlint-disable-next-line no-explicit-any
type Handle = (request: { params: string[]; query: URLSearchParams; body: any }) => Answer | Promise<Answer>

/** `failures`: `POST /v2.0/ports` → how many more times it answers 503. */
export class FakeHouse {
  readonly failures = new Map<string, number>()
  readonly calls: string[] = []
  readonly handler: HttpHandler
  readonly #routes: [string, RegExp, Handle][] = []

  constructor() {
    this.handler = (request) => this.#answer(request)
  }

  on(method: string, template: string, handle: Handle): void {
    this.#routes.push([`${method} ${template}`, new RegExp(`^${method} ${template.replaceAll(/\{\w+\}/g, '([^/]+)')}$`), handle])
  }

  async #answer(request: HttpRequest): Promise<HttpResponse> {
    for (const [name, pattern, handle] of this.#routes) {
      const match = pattern.exec(`${request.method} ${request.path}`)
      if (!match) continue
      this.calls.push(name)
      const left = this.failures.get(name) ?? 0
      if (left > 0) {
        this.failures.set(name, left - 1)
        return reply({ status: 503, json: { message: `${name} was told to fail` } })
      }
      const bytes = await readBody(request.body, 2 ** 24)
      const json = /json/.test(request.headers['content-type'] ?? '') && bytes && bytes.length > 0 ? JSON.parse(bytes.toString()) : {}
      return reply(await handle({ params: match.slice(1).map(decodeURIComponent), query: new URLSearchParams(request.query), body: json }))
    }
    return reply({ status: 404, json: { message: `nothing at ${request.method} ${request.path}` } })
  }
}

function reply({ status = 200, json, body }: Answer): HttpResponse {
  return { status, headers: json === undefined ? {} : { 'content-type': 'application/json' }, body: json === undefined ? body : JSON.stringify(json) }
}

const missing = (what: string): Answer => ({ status: 404, json: { error: { message: `${what} could not be found.` } } })

export class FakeNeutron extends FakeHouse {
  readonly networks = new Map<string, Row>()
  readonly ports = new Map<string, Row>()
  readonly subnets = new Map<string, Row>()
  readonly groups = new Map<string, Row>()
  /** Port → hosts with a binding that is not the active one. */
  readonly inactive = new Map<string, Set<string>>()
  /** Ports get a tap that is not there yet, as with a real driver. */
  wires = false
  #address = 10

  constructor(random: Random) {
    super()
    const plural = { networks: this.networks, ports: this.ports, subnets: this.subnets, 'security-groups': this.groups }
    for (const [noun, rows] of Object.entries(plural)) {
      this.on('GET', `/v2.0/${noun}`, ({ query }) => ({ json: { [noun.replace('-', '_')]: [...rows.values()].filter((row) => fits(row, query)) } }))
      this.on('GET', `/v2.0/${noun}/{id}`, ({ params: [id] }) => (rows.has(id!) ? { json: { [noun.slice(0, -1).replace('-', '_')]: rows.get(id!) } } : missing(id!)))
    }
    this.on('POST', '/v2.0/ports', ({ body }) => {
      const { port, ports } = body as { port?: Row; ports?: Row[] }
      if (ports) return { status: 201, json: { ports: ports.map((one) => this.#makePort(random, one)) } }
      return { status: 201, json: { port: this.#makePort(random, port!) } }
    })
    this.on('PUT', '/v2.0/ports/{id}', ({ params: [id], body }) => {
      const row = this.ports.get(id!)
      if (!row) return missing(id!)
      Object.assign(row, (body as { port: Row }).port)
      this.#bind(row)
      return { json: { port: row } }
    })
    this.on('DELETE', '/v2.0/ports/{id}', ({ params: [id] }) => {
      this.inactive.delete(id!)
      return this.ports.delete(id!) ? { status: 204 } : missing(id!)
    })
    this.on('POST', '/v2.0/ports/{id}/bindings', ({ params: [id], body }) => {
      const { host } = (body as { binding: { host: string } }).binding
      const row = this.ports.get(id!)
      if (!row) return missing(id!)
      if (this.#inactiveOf(id!).has(host) || row['binding:host_id'] === host) return { status: 409, json: { NeutronError: { type: 'PortBindingAlreadyExists', message: `Binding for port ${id} on host ${host} already exists.`, detail: '' } } }
      this.#inactiveOf(id!).add(host)
      return { json: { binding: { host, status: 'INACTIVE', vif_type: 'tap', vif_details: {} } } }
    })
    this.on('PUT', '/v2.0/ports/{id}/bindings/{host}/activate', ({ params: [id, host] }) => {
      const row = this.ports.get(id!)
      if (!row) return missing(id!)
      if (row['binding:host_id'] === host) return { status: 409, json: { NeutronError: { type: 'PortBindingAlreadyActive', message: `Binding for port ${id} on host ${host} is already active.`, detail: '' } } }
      if (!this.#inactiveOf(id!).delete(host!)) return missing(host!)
      this.#inactiveOf(id!).add(String(row['binding:host_id']))
      row['binding:host_id'] = host
      return { json: { port_binding: { host } } }
    })
    this.on('DELETE', '/v2.0/ports/{id}/bindings/{host}', ({ params: [id, host] }) => {
      if (this.#inactiveOf(id!).delete(host!)) return { status: 204 }
      const row = this.ports.get(id!)
      if (row?.['binding:host_id'] !== host) return missing(host!)
      row!['binding:host_id'] = ''
      return { status: 204 }
    })
  }

  network(id: string, more: Partial<Row> = {}): Row {
    const row: Row = { id, name: `net-${id.slice(0, 4)}`, project_id: 'project-a', tenant_id: 'project-a', shared: false, 'router:external': false, mtu: 1_450, subnets: [`subnet-of-${id}`], admin_state_up: true, ...more }
    this.networks.set(id, row)
    this.subnets.set(`subnet-of-${id}`, { id: `subnet-of-${id}`, network_id: id, cidr: '10.0.0.0/24', gateway_ip: '10.0.0.1', enable_dhcp: true, dns_nameservers: ['9.9.9.9'], host_routes: [], ipv6_address_mode: null })
    return row
  }

  #inactiveOf(id: string): Set<string> {
    const hosts = this.inactive.get(id) ?? new Set()
    this.inactive.set(id, hosts)
    return hosts
  }

  #makePort(random: Random, wish: Row): Row {
    const id = random.uuid()
    const network = String(wish.network_id)
    const ip = (wish.fixed_ips as { ip_address: string }[] | undefined)?.[0]?.ip_address ?? `10.0.0.${this.#address++}`
    const row: Row = {
      name: '', device_id: '', device_owner: '', security_groups: [], resource_request: null, admin_state_up: true, ...wish, id,
      mac_address: `fa:16:3e:${random.bytes(3).toString('hex').match(/../g)!.join(':')}`, fixed_ips: [{ subnet_id: `subnet-of-${network}`, ip_address: ip }], status: 'DOWN',
    }
    this.#bind(row)
    this.ports.set(id, row)
    return row
  }

  #bind(row: Row): void {
    const bound = Boolean(row['binding:host_id'])
    row['binding:vif_type'] = bound ? 'tap' : 'unbound'
    row['binding:vif_details'] = bound && this.wires ? { tap_name: `tap${row.id.slice(0, 11)}` } : {}
    if (bound && !this.wires) row.status = 'ACTIVE'
  }
}

function fits(row: Row, query: URLSearchParams): boolean {
  for (const key of new Set(query.keys())) {
    if (['fields', 'fixed_ips'].includes(key)) continue
    if (!query.getAll(key).includes(String(row[key]))) return false
  }
  return !query.has('fixed_ips') || (row.fixed_ips as { ip_address: string }[]).some((one) => query.get('fixed_ips') === `ip_address=${one.ip_address}`)
}

export class FakeGlance extends FakeHouse {
  readonly images = new Map<string, Row>()

  constructor(random: Random) {
    super()
    this.on('GET', '/v2/images', ({ query }) => ({ json: { images: [...this.images.values()].filter((row) => [...query].every(([key, value]) => ['limit', 'sort', 'marker', 'sort_key', 'sort_dir'].includes(key) || String(row[key]) === value)) } }))
    this.on('GET', '/v2/images/{id}', ({ params: [id] }) => (this.images.has(id!) ? { json: this.images.get(id!) } : missing(id!)))
    this.on('POST', '/v2/images', ({ body }) => {
      const row = this.image((body as { id?: string }).id ?? random.uuid(), { ...(body as object), status: 'queued', size: null })
      return { status: 201, json: row }
    })
    this.on('PUT', '/v2/images/{id}/file', ({ params: [id] }) => {
      const row = this.images.get(id!)
      if (!row) return missing(id!)
      row.status = 'active'
      return { status: 204 }
    })
    this.on('DELETE', '/v2/images/{id}', ({ params: [id] }) => (this.images.delete(id!) ? { status: 204 } : missing(id!)))
  }

  image(id: string, more: object = {}): Row {
    const row: Row = { id, name: 'image', status: 'active', visibility: 'public', owner: 'project-a', container_format: 'bare', disk_format: 'raw', size: 1_000, min_ram: 0, min_disk: 0, created_at: new Date(this.images.size * 1_000).toISOString(), ...more }
    this.images.set(id, row)
    return row
  }
}

export class FakeCinder extends FakeHouse {
  readonly volumes = new Map<string, Row>()
  readonly snapshots = new Map<string, Row>()
  readonly attachments = new Map<string, Row>()

  constructor(random: Random) {
    super()
    this.on('GET', '/v3/volumes/{id}', ({ params: [id] }) => (this.volumes.has(id!) ? { json: { volume: this.volumes.get(id!) } } : missing(id!)))
    this.on('POST', '/v3/volumes', ({ body }) => ({ status: 202, json: { volume: this.volume(random.uuid(), (body as { volume: object }).volume) } }))
    this.on('DELETE', '/v3/volumes/{id}', ({ params: [id] }) => (this.volumes.delete(id!) ? { status: 202 } : missing(id!)))
    this.on('POST', '/v3/snapshots', ({ body }) => {
      const row: Row = { id: random.uuid(), status: 'available', size: 1, ...(body as { snapshot: object }).snapshot }
      this.snapshots.set(row.id, row)
      return { status: 202, json: { snapshot: row } }
    })
    this.on('GET', '/v3/snapshots/{id}', ({ params: [id] }) => (this.snapshots.has(id!) ? { json: { snapshot: this.snapshots.get(id!) } } : missing(id!)))
    this.on('DELETE', '/v3/snapshots/{id}', ({ params: [id] }) => (this.snapshots.delete(id!) ? { status: 202 } : missing(id!)))
    this.on('GET', '/v3/attachments', ({ query }) => ({ json: { attachments: [...this.attachments.values()].filter((row) => row.instance === query.get('instance_id')) } }))
    this.on('POST', '/v3/attachments', ({ body }) => {
      const wish = (body as { attachment: { volume_uuid: string; instance_uuid: string; connector?: object } }).attachment
      const volume = this.volumes.get(wish.volume_uuid)
      if (!volume) return missing(wish.volume_uuid)
      if (volume.status !== 'available' && !volume.multiattach && ![...this.attachments.values()].some((one) => one.volume_id === volume.id && one.instance === wish.instance_uuid)) {
        return { status: 400, json: { badRequest: { message: `Volume ${volume.id} status must be available or downloading to reserve, but the current status is ${String(volume.status)}.` } } }
      }
      const row: Row = { id: random.uuid(), volume_id: volume.id, instance: wish.instance_uuid, status: wish.connector ? 'attaching' : 'reserved', connection_info: wish.connector ? connection(volume.id) : {}, host: hostOf(wish.connector) }
      this.attachments.set(row.id, row)
      this.#judge(volume.id)
      return { json: { attachment: row } }
    })
    this.on('PUT', '/v3/attachments/{id}', ({ params: [id], body }) => {
      const row = this.attachments.get(id!)
      if (!row) return missing(id!)
      Object.assign(row, { status: 'attaching', connection_info: connection(String(row.volume_id)), host: hostOf((body as { attachment: { connector?: object } }).attachment.connector) })
      return { json: { attachment: row } }
    })
    this.on('POST', '/v3/attachments/{id}/action', ({ params: [id] }) => {
      const row = this.attachments.get(id!)
      if (!row) return missing(id!)
      row.status = 'attached'
      this.#judge(String(row.volume_id))
      return { status: 204 }
    })
    this.on('DELETE', '/v3/attachments/{id}', ({ params: [id] }) => {
      const row = this.attachments.get(id!)
      if (!row) return missing(id!)
      this.attachments.delete(id!)
      this.#judge(String(row.volume_id))
      return { json: { attachments: [] } }
    })
  }

  #judge(volumeId: string): void {
    const volume = this.volumes.get(volumeId)
    const states = [...this.attachments.values()].filter((one) => one.volume_id === volumeId).map((one) => one.status)
    if (volume) volume.status = states.includes('attached') ? 'in-use' : states.length > 0 ? 'reserved' : 'available'
  }

  volume(id: string, more: object = {}): Row {
    const row: Row = { id, name: '', status: 'available', size: 1, bootable: 'true', multiattach: false, encrypted: false, volume_type: null, metadata: {}, ...more }
    this.volumes.set(id, row)
    return row
  }
}

const hostOf = (connector: object | undefined): string => (connector as { host?: string } | undefined)?.host ?? ''
const connection = (volumeId: string): object => ({ driver_volume_type: 'fake', volume_id: volumeId })
