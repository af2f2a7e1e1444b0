/** Ports. */
import { anything, bad, computed, flag, good, isBad, json, mac, name, oneOf, orNull, takeDictionary, takeInteger, takeIp, takeList, takeMac, takeObject, takeText, takeUuid, text, uuid, type Take } from '../attribute.ts'
import { described, fact, id, type Noun, project, tags } from '../noun.ts'
import { parseCidr, parseIp } from '../address.ts'

const sent = { post: 'optional', put: true } as const

export const VNIC_TYPES = ['normal', 'direct', 'macvtap', 'baremetal', 'direct-physical', 'virtio-forwarder', 'smart-nic', 'vdpa', 'accelerator-direct', 'accelerator-direct-physical', 'remote-managed'] as const

const fixedIps: Take = (value) => {
  if (!Array.isArray(value)) return bad(`Invalid data format for fixed IP: '${JSON.stringify(value)}'`)
  const taken = takeList(takeObject({ subnet_id: takeUuid, ip_address: takeIp }))(value)
  if (isBad(taken)) return taken
  const addresses = (taken.value as { ip_address?: string }[]).flatMap((one) => one.ip_address ?? [])
  const twice = addresses.find((one, i) => addresses.indexOf(one) !== i)
  return twice === undefined ? taken : bad(`Duplicate IP address '${twice}'`)
}

const pairs: Take = (value) => {
  if (value === null) return good([])
  if (!Array.isArray(value)) return bad(`Allowed address pairs must be a list.`)
  const out = []
  for (const one of value) {
    const taken = takeObject({
      ip_address: (given) => (typeof given === 'string' && (parseIp(given) || (given.includes('/') && parseCidr(given))) ? good(given) : bad(`'${String(given)}' is not a valid IP address`)),
      mac_address: takeMac,
    })(one)
    if (isBad(taken)) return taken
    const pair = taken.value as { ip_address?: string }
    if (pair.ip_address === undefined) return bad('AllowedAddressPair must contain ip_address')
    out.push(pair)
  }
  const seen = new Set<string>()
  for (const pair of out) {
    const key = JSON.stringify(pair)
    if (seen.has(key)) return bad(`Request contains duplicate address pair: mac_address ${String((pair as { mac_address?: string }).mac_address)} ip_address ${pair.ip_address}.`)
    seen.add(key)
  }
  return good(out)
}

const dhcpOption: Take = (value) => {
  const taken = takeObject({ opt_name: takeText(64), opt_value: orNull(takeText(255)), ip_version: (given) => (given === null ? good(null) : Number(given) === 4 || Number(given) === 6 ? good(Number(given)) : bad(`'${String(given)}' is not in [4, 6]`)), id: anything }, ['opt_name', 'opt_value'])(value)
  if (isBad(taken)) return taken
  const { opt_name, opt_value } = taken.value as { opt_name: string; opt_value: string | null }
  if (opt_name.trim() === '') return bad(`'${opt_name}' Blank strings are not permitted`)
  // What could say more than one thing to a DHCP server never reaches one.
  if (!/^[a-z0-9][a-z0-9-]*$/i.test(opt_name)) return bad(`'${opt_name}' is not the name or number of a DHCP option`)
  return opt_value !== null && /[^\x20-\x7e]/.test(opt_value) ? bad('the value of a DHCP option may hold printable ASCII characters only') : taken
}

const hostName: Take = (value) => {
  const taken = takeText(255)(value)
  if (isBad(taken) || taken.value === '') return taken
  const given = (taken.value as string).replace(/\.$/, '')
  return given.split('.').every((label) => /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)$/.test(label)) ? taken : bad(`'${given}' not a valid PQDN or FQDN. Reason: Name '${given}' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen`)
}

export const port: Noun = {
  one: 'port',
  many: 'ports',
  path: '/v2.0/ports',
  table: 'neutron_ports',
  quota: 'port',
  title: 'Port',
  fields: {
    id: id(),
    name: name(),
    network_id: uuid({ post: 'required' }),
    project_id: project(),
    mac_address: { ...mac({ ...sent, enforce: true }), take: orNull(takeMac) },
    admin_state_up: flag({ ...sent, default: true }),
    status: fact(),
    device_id: text(255, { ...sent, default: '', enforce: true }),
    device_owner: text(255, { ...sent, default: '', enforce: true }),
    fixed_ips: json(fixedIps, { ...sent, enforce: true }),
    allowed_address_pairs: json(pairs, { ...sent, enforce: true }),
    extra_dhcp_opts: json(orNull(takeList(dhcpOption)), sent),
    security_groups: json(orNull(takeList(takeUuid, { distinct: true })), sent),
    port_security_enabled: flag({ ...sent, enforce: true }),
    'binding:host_id': text(255, { ...sent, null: true, enforce: true, guarded: true }),
    'binding:vnic_type': oneOf(VNIC_TYPES, { ...sent, default: 'normal', enforce: true }),
    'binding:profile': json(takeDictionary, { ...sent, enforce: true, guarded: true }),
    'binding:vif_type': fact({ guarded: true }),
    'binding:vif_details': json(anything, { guarded: true }),
    qos_policy_id: uuid({ ...sent, null: true, enforce: true }),
    qos_network_policy_id: uuid({ null: true }),
    dns_name: { ...text(255, { ...sent, default: '' }), take: hostName },
    dns_domain: text(255, { ...sent, default: '' }),
    dns_assignment: computed(),
    resource_request: computed({ guarded: true }),
    trunk_details: computed(),
    device_profile: text(255, { post: 'optional', null: true }),
    numa_affinity_policy: oneOf(['required', 'preferred', 'legacy', 'socket', null], sent),
    propagate_uplink_status: flag({ ...sent, default: true }),
    ...described(),
    tags: { ...tags.tags, post: 'optional', take: takeList(takeText(255)) },
  },
}

export const portBinding = {
  host: takeText(255),
  vnic_type: orNull((value) => (VNIC_TYPES.includes(value as never) ? good(value) : bad(`'${String(value)}' is not in ${VNIC_TYPES.join(', ')}`))),
  profile: takeDictionary,
  project_id: takeText(255),
  tenant_id: takeText(255),
  port: takeInteger(),
} as const
