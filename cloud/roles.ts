/** Which agents run on a machine, by its role; `agents:` in ondol.yaml may say otherwise. */
import type { ConfigValues } from '#base/config.ts'
import { invalid } from '#base/fault.ts'
import type { CloudConfig } from './config.ts'

/** House → how its agent runs here: Neutron's as network `node` (DHCP, routers, metadata, ports) or for `ports` alone. */
export function agentsOf(config: CloudConfig & ConfigValues): ReadonlyMap<string, 'node' | 'ports' | 'run'> {
  const { role, agents } = config
  const found = new Map<string, 'node' | 'ports' | 'run'>()
  const network = agents.network === 'auto' ? (role === 'compute' ? 'ports' : 'node') : agents.network
  if (network !== 'none') found.set('neutron', network)
  // Alone on one machine there is always a place for volumes; of several, those have one that were given one.
  const volume = agents.volume === 'auto' ? (role === 'all' || backendsOf(config) > 0 ? 'run' : 'none') : agents.volume
  if (volume === 'run') found.set('cinder', 'run')
  const compute = agents.compute === 'auto' ? (role === 'control' ? 'none' : 'run') : agents.compute
  if (compute === 'run') found.set('nova', 'run')
  return found
}

function backendsOf(config: ConfigValues): number {
  return ((config.cinder as { backends?: unknown[] } | undefined)?.backends ?? []).length
}

/** Throws for what a role cannot do without. `bus` and `door` are given by whoever brings another bus or other doors. */
export function checkRole(config: CloudConfig, given: { bus?: boolean; door?: boolean } = {}): void {
  if (config.role === 'all') return
  if (config.bus.url === '' && !given.bus) throw invalid(`With role: ${config.role} bus.url must name the message broker, e.g. amqp://ondol:secret@192.0.2.10:5672`, { field: 'bus.url' })
  if (config.role === 'control') return
  if (config.control_url === '' && !given.door) throw invalid('With role: compute control_url must be the front door of the control plane, e.g. http://192.0.2.10:5000', { field: 'control_url' })
  if (config.service.password === '' && config.service.password_file === '') throw invalid('With role: compute service.password or service.password_file is needed, the same as at the control plane', { field: 'service.password' })
}
