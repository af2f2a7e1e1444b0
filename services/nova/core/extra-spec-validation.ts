/** What the extra specs that Nova knows may say. Names in other namespaces are the operator's own and are not judged. */

type Kind = { of: 'text'; pattern?: RegExp } | { of: 'whole'; min?: number; max?: number } | { of: 'flag' } | { of: 'one'; values: readonly string[] }

const text = (pattern?: RegExp): Kind => (pattern ? { of: 'text', pattern } : { of: 'text' })
const whole = (min = 0, max?: number): Kind => ({ of: 'whole', min, ...(max === undefined ? {} : { max }) })
const flag: Kind = { of: 'flag' }
const one = (...values: string[]): Kind => ({ of: 'one', values })

const CPU_SET = /^\^?\d+(-\d+)?(,\^?\d+(-\d+)?)*$/
const SHARES = one('custom', 'high', 'normal', 'low')

const KNOWN: Readonly<Record<string, Kind>> = {
  'accel:device_profile': text(),
  group_policy: one('isolate', 'none'),
  hide_hypervisor_id: flag,
  'hw:boot_menu': flag,
  'hw:cpu_cores': whole(1),
  'hw:cpu_dedicated_mask': text(CPU_SET),
  'hw:cpu_max_cores': whole(1),
  'hw:cpu_max_sockets': whole(1),
  'hw:cpu_max_threads': whole(1),
  'hw:cpu_policy': one('dedicated', 'shared', 'mixed'),
  'hw:cpu_realtime': flag,
  'hw:cpu_realtime_mask': text(CPU_SET),
  'hw:cpu_sockets': whole(1),
  'hw:cpu_thread_policy': one('prefer', 'isolate', 'require'),
  'hw:cpu_threads': whole(1),
  'hw:emulator_threads_policy': one('isolate', 'share'),
  'hw:ephemeral_encryption': flag,
  'hw:ephemeral_encryption_format': one('luks'),
  'hw:hide_hypervisor_id': flag,
  'hw:input_bus': one('usb', 'virtio'),
  'hw:locked_memory': flag,
  'hw:maxphysaddr_bits': whole(),
  'hw:maxphysaddr_mode': one('passthrough', 'emulate'),
  'hw:mem_encryption': flag,
  'hw:mem_encryption_model': one('amd-sev', 'amd-sev-es'),
  'hw:mem_page_size': text(/^(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)$/),
  'hw:numa_nodes': whole(1),
  'hw:pci_numa_affinity_policy': one('required', 'preferred', 'legacy', 'socket'),
  'hw:pmem': text(),
  'hw:redirected_usb_ports': whole(0, 15),
  'hw:serial_port_count': whole(),
  'hw:sound_model': one('sb16', 'es1370', 'pcspk', 'ac97', 'ich6', 'ich9', 'usb', 'virtio'),
  'hw:tb_cache_size': whole(),
  'hw:tpm_model': one('tpm-tis', 'tpm-crb'),
  'hw:tpm_secret_security': one('user', 'host', 'deployment'),
  'hw:tpm_version': one('1.2', '2.0'),
  'hw:usb_model': one('piix3-uhci', 'piix4-uhci', 'ehci', 'ich9-ehci1', 'ich9-uhci1', 'ich9-uhci2', 'ich9-uhci3', 'vt82c686b-uhci', 'pci-ohci', 'nec-xhci', 'qemu-xhci'),
  'hw:vif_multiqueue_enabled': flag,
  'hw:viommu_model': one('intel', 'smmuv3', 'virtio', 'auto'),
  'hw:virtio_packed_ring': flag,
  'hw:watchdog_action': one('none', 'pause', 'poweroff', 'reset', 'disabled'),
  'hw_rng:allowed': flag,
  'hw_rng:rate_bytes': whole(),
  'hw_rng:rate_period': whole(),
  'hw_video:ram_max_mb': whole(),
  'os:secure_boot': one('required', 'disabled', 'optional'),
  'pci_passthrough:alias': text(),
  ...Object.fromEntries(['cpu', 'memory', 'disk_io', 'vif'].flatMap((what) => [[`quota:${what}_limit`, whole()], [`quota:${what}_reservation`, whole()], [`quota:${what}_shares_level`, SHARES], [`quota:${what}_shares_share`, whole()]])),
  'quota:cpu_shares': whole(),
  'quota:cpu_period': whole(),
  'quota:cpu_quota': whole(),
  ...Object.fromEntries(['read', 'write', 'total'].flatMap((way) => ['bytes', 'iops'].flatMap((unit) => ['', '_max', '_max_length'].map((end) => [`quota:disk_${way}_${unit}_sec${end}`, whole()])))),
  ...Object.fromEntries(['inbound', 'outbound'].flatMap((way) => ['average', 'peak', 'burst'].map((what) => [`quota:vif_${way}_${what}`, whole()]))),
  'vmware:hw_version': text(),
  'vmware:storage_policy': text(),
}

const PATTERNS: readonly (readonly [RegExp, Kind])[] = [
  [/^aggregate_instance_extra_specs:.+$/, text()],
  [/^capabilities:.+$/, text()],
  [/^hw:numa_cpus\.\d+$/, text(CPU_SET)],
  [/^hw:numa_mem\.\d+$/, whole(1)],
  [/^resources([a-zA-Z0-9_-]{1,64})?:[A-Z0-9_]+$/, whole()],
  [/^trait([a-zA-Z0-9_-]{1,64})?:[A-Z0-9_]+$/, one('required', 'forbidden')],
]

const NAMESPACES = new Set([...Object.keys(KNOWN).flatMap((name) => (name.includes(':') ? [name.split(':')[0]!] : [])), 'aggregate_instance_extra_specs', 'capabilities', 'resources', 'trait'])
const FLAGS = /^(1|t|true|on|y|yes|0|f|false|off|n|no)$/i

/** What is wrong with it, for the user; undefined when nothing is, or when it is not ours to say. */
export function extraSpecProblem(name: string, value: string): string | undefined {
  const kind = KNOWN[name] ?? PATTERNS.find(([pattern]) => pattern.test(name))?.[1]
  if (!kind) return name.includes(':') && NAMESPACES.has(name.split(':')[0]!) ? `extra spec '${name}' does not appear to be a valid extra spec.` : undefined
  switch (kind.of) {
    case 'text':
      return kind.pattern === undefined || kind.pattern.test(value) ? undefined : `the value '${value}' of extra spec '${name}' does not match '${kind.pattern.source}'.`
    case 'flag':
      return FLAGS.test(value) ? undefined : `the value '${value}' of extra spec '${name}' is not a boolean.`
    case 'one':
      return kind.values.includes(value) ? undefined : `the value '${value}' of extra spec '${name}' is not one of ${kind.values.join(', ')}.`
    case 'whole': {
      if (!/^-?\d+$/.test(value)) return `the value '${value}' of extra spec '${name}' is not a whole number.`
      if (kind.min !== undefined && Number(value) < kind.min) return `the value ${value} of extra spec '${name}' is less than ${kind.min}.`
      if (kind.max !== undefined && Number(value) > kind.max) return `the value ${value} of extra spec '${name}' is greater than ${kind.max}.`
      return undefined
    }
  }
}
