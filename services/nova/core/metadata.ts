/**
 * What a guest may know of itself: OpenStack's and EC2's documents, from plain values. The same tree is written on the config drive and served
 * by the metadata service.
 */

export interface GuestFacts {
  server_id: string
  name: string
  hostname: string
  project_id: string
  availability_zone: string
  launch_index: number
  reservation_id: string
  metadata: Readonly<Record<string, string>>
  key?: { name: string; type: string; public_key: string }
  user_data?: Buffer
  admin_pass?: string
  files: readonly { path: string; contents: Buffer }[]
  nics: readonly GuestNic[]
  devices: readonly { type: 'nic' | 'disk'; bus: string; tags: string[]; mac?: string; serial?: string; path?: string }[]
  security_groups: readonly string[]
  flavor_name: string
  image_id: string
  kernel_id: string
  ramdisk_id: string
  root_device: string
  vendordata: Readonly<Record<string, unknown>>
  /** By the name of who says it; absent where it was not asked for. */
  vendordata2?: Readonly<Record<string, unknown>>
  dhcp_domain: string
}

export interface GuestNic {
  port_id: string
  network_id: string
  mac: string
  mtu?: number
  tag?: string
  fixed_ips: readonly { ip: string; version: 4 | 6; floating?: readonly string[] | undefined; subnet?: GuestSubnet | undefined }[]
}

export interface GuestSubnet {
  id: string
  cidr: string
  gateway_ip: string | null
  dns_nameservers: readonly string[]
  host_routes: readonly { destination: string; nexthop: string }[]
  enable_dhcp: boolean
  ipv6_address_mode: string | null
}

/** Versions as directories; each shows what it knew. */
export const OPENSTACK_VERSIONS = ['2012-08-10', '2013-04-04', '2013-10-17', '2015-10-15', '2016-06-30', '2016-10-06', '2017-02-22', '2018-08-27', '2020-10-14', 'latest'] as const
export const EC2_VERSIONS = ['1.0', '2007-01-19', '2007-03-01', '2007-08-29', '2007-10-10', '2007-12-15', '2008-02-01', '2008-09-01', '2009-04-04', 'latest'] as const

export function metaData(facts: GuestFacts, randomSeed: Buffer): Record<string, unknown> {
  const { key } = facts
  return {
    uuid: facts.server_id,
    ...(Object.keys(facts.metadata).length > 0 ? { meta: facts.metadata } : {}),
    ...(facts.files.length > 0 ? { files: facts.files.map(({ path }, i) => ({ path, content_path: contentPath(i) })) } : {}),
    ...(facts.admin_pass === undefined ? {} : { admin_pass: facts.admin_pass }),
    ...(key ? { public_keys: { [key.name]: key.public_key }, keys: [{ name: key.name, type: key.type, data: key.public_key }] } : {}),
    hostname: fqdn(facts),
    name: facts.name,
    launch_index: facts.launch_index,
    availability_zone: facts.availability_zone,
    random_seed: randomSeed.toString('base64'),
    project_id: facts.project_id,
    devices: facts.devices,
    dedicated_cpus: [],
  }
}

const contentPath = (index: number): string => `/content/${String(index).padStart(4, '0')}`

export function fqdn(facts: Pick<GuestFacts, 'hostname' | 'dhcp_domain'>): string {
  return facts.dhcp_domain === '' || facts.hostname.includes('.') ? facts.hostname : `${facts.hostname}.${facts.dhcp_domain}`
}

export function networkData(facts: GuestFacts): Record<string, unknown> {
  const links = facts.nics.map((nic) => ({ id: `tap${nic.port_id.slice(0, 11)}`, vif_id: nic.port_id, type: 'phy', mtu: nic.mtu ?? 1_500, ethernet_mac_address: nic.mac }))
  let n = 0
  const networks = facts.nics.flatMap((nic, i) =>
    nic.fixed_ips.map(({ ip, version, subnet }) => {
      const dynamic = subnet?.enable_dhcp ?? true
      const base = { id: `network${n++}`, link: links[i]!.id, network_id: nic.network_id, type: version === 4 ? (dynamic ? 'ipv4_dhcp' : 'ipv4') : dynamic ? (subnet?.ipv6_address_mode ? `ipv6_${subnet.ipv6_address_mode}` : 'ipv6_dhcp') : 'ipv6' }
      if (!subnet || (dynamic && version === 4)) return base
      const prefix = Number(subnet.cidr.split('/')[1])
      return {
        ...base,
        ip_address: ip,
        netmask: netmask(version, prefix),
        routes: [
          ...(subnet.gateway_ip === null ? [] : [{ network: version === 4 ? '0.0.0.0' : '::', netmask: netmask(version, 0), gateway: subnet.gateway_ip }]),
          ...subnet.host_routes.map((route) => ({ network: route.destination.split('/')[0], netmask: netmask(version, Number(route.destination.split('/')[1])), gateway: route.nexthop })),
        ],
        services: subnet.dns_nameservers.map((address) => ({ type: 'dns', address })),
      }
    }),
  )
  const dns = [...new Set(facts.nics.flatMap((nic) => nic.fixed_ips.flatMap(({ subnet }) => subnet?.dns_nameservers ?? [])))]
  return { links, networks, services: dns.map((address) => ({ type: 'dns', address })) }
}

function netmask(version: 4 | 6, prefix: number): string {
  const groups = version === 4 ? 4 : 8
  const width = version === 4 ? 8 : 16
  const parts = Array.from({ length: groups }, (_, i) => {
    const bits = Math.max(0, Math.min(width, prefix - i * width))
    return (2 ** width - 1) ^ (2 ** (width - bits) - 1)
  })
  return version === 4 ? parts.join('.') : parts.map((part) => part.toString(16)).join(':').replace(/(:0)+$/, '::').replace(/^0::$/, '::')
}

/** The tree that EC2 guests walk: a string is a file, an object a directory, an array of objects a list by index. */
export type Tree = string | { readonly [name: string]: Tree }

export function ec2Tree(facts: GuestFacts): Tree {
  const fixed = facts.nics.flatMap((nic) => nic.fixed_ips).filter((one) => one.version === 4)
  const local = fixed[0]?.ip ?? ''
  const floating = fixed.flatMap((one) => one.floating ?? [])[0] ?? ''
  const { key } = facts
  return {
    'ami-id': ec2Id('ami', facts.image_id),
    'ami-launch-index': String(facts.launch_index),
    'ami-manifest-path': 'FIXME',
    'block-device-mapping': { ami: facts.root_device.replace('/dev/', ''), root: facts.root_device },
    hostname: fqdn(facts),
    'instance-action': 'none',
    'instance-id': ec2Id('i', facts.server_id),
    'instance-type': facts.flavor_name,
    ...(facts.kernel_id === '' ? {} : { 'kernel-id': ec2Id('aki', facts.kernel_id) }),
    'local-hostname': fqdn(facts),
    'local-ipv4': local,
    placement: { 'availability-zone': facts.availability_zone },
    'public-hostname': fqdn(facts),
    'public-ipv4': floating,
    ...(key ? { 'public-keys': { '0': { 'openssh-key': key.public_key, _name: key.name } } } : {}),
    ...(facts.ramdisk_id === '' ? {} : { 'ramdisk-id': ec2Id('ari', facts.ramdisk_id) }),
    'reservation-id': facts.reservation_id,
    'security-groups': facts.security_groups.join('\n'),
  }
}

/** EC2 knows eight hex digits. */
function ec2Id(prefix: string, id: string): string {
  return id === '' ? `${prefix}-00000000` : `${prefix}-${id.replaceAll('-', '').slice(0, 8)}`
}

/** Every file of a config drive, path → content. */
export function configDrive(facts: GuestFacts, randomSeed: Buffer): Record<string, string | Buffer> {
  const files: Record<string, string | Buffer> = {}
  const meta = JSON.stringify(metaData(facts, randomSeed))
  const network = JSON.stringify(networkData(facts))
  for (const version of OPENSTACK_VERSIONS) {
    const dir = `openstack/${version}`
    files[`${dir}/meta_data.json`] = meta
    if (version >= '2015-10-15') files[`${dir}/network_data.json`] = network
    if (facts.user_data) files[`${dir}/user_data`] = facts.user_data
    if (version >= '2013-10-17') files[`${dir}/vendor_data.json`] = JSON.stringify(facts.vendordata)
    if (version >= '2016-10-06') files[`${dir}/vendor_data2.json`] = JSON.stringify(facts.vendordata2 ?? { static: facts.vendordata })
  }
  for (const [i, file] of facts.files.entries()) files[`openstack${contentPath(i)}`] = file.contents
  for (const version of ['2009-04-04', 'latest']) {
    files[`ec2/${version}/meta-data.json`] = JSON.stringify(ec2Tree(facts))
    if (facts.user_data) files[`ec2/${version}/user-data`] = facts.user_data
  }
  return files
}

export function ec2Listing(tree: Tree): string {
  if (typeof tree === 'string') return tree
  return Object.entries(tree)
    .filter(([name]) => name !== '_name')
    .map(([name, below]) => {
      if (typeof below === 'string') return name
      const named = typeof below._name === 'string' ? below._name : undefined
      return named === undefined ? `${name}/` : `${name}=${named}`
    })
    .join('\n')
}
