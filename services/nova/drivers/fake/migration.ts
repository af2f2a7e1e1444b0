/** Live migration between two fake hosts of one simulation: the guest's whole state changes hands in one moment. */
import { conflict, invalid, unavailable } from '#base/fault.ts'
import type { LiveMigratable } from '../interface.ts'
import type { FakeParts } from './driver.ts'
import type { FakeHost } from './host.ts'

export function fakeMigration({ world, host, act, actOnAny, make }: FakeParts, peers: (hostname: string) => FakeHost | undefined): LiveMigratable {
  return {
    layout: (serverId) => act('layout', serverId, (guest) => ({ name: guest.spec.name })),
    prepareIncoming: (spec, _layout, source, _listenHost) =>
      actOnAny('prepareIncoming', spec.server_id, async (found, signal) => {
        if (found && !found.incoming && found.power_state === 'shutdown') throw conflict('The server is on this host already.')
        if (!found) {
          const guest = await make(spec, source, signal)
          guest.incoming = true
          guest.power_state = 'nostate'
        }
        return { uri: `fake:${host.hostname}`, memory: '', disks: { key: '', exports: [] } }
      }),
    migrateOut: (serverId, target) =>
      act('migrateOut', serverId, (guest) => {
        if (guest.migrated_away) return
        const name = /^fake:(.+)$/.exec(target.uri)?.[1]
        if (name === undefined) throw invalid('The target is not a fake host.', { field: 'uri' })
        const there = peers(name)?.guests.get(serverId)
        if (!there?.incoming) throw unavailable('The destination does not wait for this server.')
        if (guest.power_state !== 'running' && guest.power_state !== 'paused') throw conflict('The server is not running.')
        there.power_state = guest.power_state
        there.disks = guest.disks
        there.console = guest.console
        there.started_at = guest.started_at
        delete there.incoming
        guest.power_state = 'shutdown'
        guest.migrated_away = true
        world.trace.mark('driver', 'nova', 'migrated', { server_id: serverId })
      }),
    finishIncoming: (serverId) =>
      act('finishIncoming', serverId, (guest) => {
        if (guest.incoming) throw conflict('The server has not arrived.')
      }),
    migrationProgress: async (serverId) => ({
      status: host.guests.get(serverId)?.migrated_away ? 'completed' : 'none',
      memory_total: 0,
      memory_processed: 0,
      memory_remaining: 0,
      disk_total: 0,
      disk_processed: 0,
      disk_remaining: 0,
    }),
    abortMigration: async () => {},
    forceMigration: async () => {},
  }
}
