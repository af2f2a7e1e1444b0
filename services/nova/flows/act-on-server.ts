/** act-on-server: one call to the host, then the new state. Every action that needs no more than that is a line of the table below. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import type { ComputeRpc } from '../contract/compute-rpc.ts'
import { POWER_NUMBER, type TaskState, type VmState } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { serverById } from '../store/servers.ts'
import type { ServerRow } from '../store/tables.ts'
import { callCompute } from './computes.ts'
import { letGo, liveServer, moveServer, type ServerWork, settle } from './state.ts'

type PowerCall = 'powerOn' | 'powerOff' | 'pause' | 'unpause' | 'suspend' | 'resume' | 'reboot' | 'unrescue' | 'interrupt' | 'setPassword'

interface Act {
  call: PowerCall
  payload?: Omit<Parameters<ComputeRpc[PowerCall]>[0], 'server_id'> & Record<string, unknown>
  lock: TaskState
  /** Shown while the host works, instead of the lock's first name. */
  during?: TaskState
  to: VmState | 'same'
  event: string
  /** A host that failed half-way leaves the server in ERROR. */
  error_on_failure?: boolean
}

export const ACTS = {
  stop: { call: 'powerOff', payload: { soft_timeout: 60_000 }, lock: 'powering-off', to: 'stopped', event: 'compute_stop_instance' },
  start: { call: 'powerOn', lock: 'powering-on', to: 'active', event: 'compute_start_instance' },
  pause: { call: 'pause', lock: 'pausing', to: 'paused', event: 'compute_pause_instance' },
  unpause: { call: 'unpause', lock: 'unpausing', to: 'active', event: 'compute_unpause_instance' },
  suspend: { call: 'suspend', lock: 'suspending', to: 'suspended', event: 'compute_suspend_instance' },
  resume: { call: 'resume', lock: 'resuming', to: 'active', event: 'compute_resume_instance', error_on_failure: true },
  rebootSoft: { call: 'reboot', payload: { how: 'soft' }, lock: 'rebooting', during: 'reboot_started', to: 'active', event: 'compute_reboot_instance', error_on_failure: true },
  rebootHard: { call: 'reboot', payload: { how: 'hard' }, lock: 'rebooting_hard', during: 'reboot_started_hard', to: 'active', event: 'compute_reboot_instance', error_on_failure: true },
  unrescue: { call: 'unrescue', lock: 'unrescuing', to: 'active', event: 'compute_unrescue_instance' },
} satisfies Readonly<Record<string, Act>>

export type ActName = keyof typeof ACTS

export interface ActOnServer extends ServerWork {
  act: ActName
}

export const actOnServerFlow = (nova: Nova): Flow<ActOnServer> =>
  defineFlow<ActOnServer>(
    'act-on-server',
    {
      deadline: nova.config.action_deadline,
      failed: async (p, fault, cancelled) => {
        const act: Act = ACTS[p.act]
        await letGo(nova, p, locksOf(act), fault, cancelled, act.error_on_failure ? { vm_state: 'error' } : {})
      },
    },
    async (f, p) => {
      const act: Act = ACTS[p.act]
      const seen = await f.step(act.call, async (signal) => {
        const server = await liveServer(nova, p.server_id)
        if (act.during) await moveServer(nova, nova.db, server.id, { task_state: locksOf(act) }, { task_state: act.during })
        const answer = await callCompute(nova, server.host_id!, act.call, { server_id: server.id, ...act.payload } as never, { signal, timeout: 120_000 })
        return { host: server.host, power_state: answer ? answer.power_state : null }
      })
      await f.step('settle', async () => {
        const server = await serverById(nova.db, p.server_id)
        const patch: Partial<ServerRow> = {
          ...(act.to === 'same' ? {} : { vm_state: act.to }),
          ...(seen.power_state === null ? {} : { power_state: POWER_NUMBER[seen.power_state] }),
          ...(act.to === 'active' && server?.vm_state === 'error' ? { fault: null } : {}),
        }
        await settle(nova, f, p, locksOf(act), patch, seen.host)
      })
    },
  )

const locksOf = (act: Act): string[] => (act.during ? [act.lock, act.during] : [act.lock])
