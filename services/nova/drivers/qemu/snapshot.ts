/** The root disk as one stand-alone file: of a running machine by a backup job (the guest goes on writing), of a stopped one by conversion. */
import { rm, stat } from 'node:fs/promises'
import { conflict, internal } from '#base/fault.ts'
import { guestAgentExecute } from '#host/guest-agent.ts'
import type { QmpConnection } from '#host/qmp.ts'
import type { Snapshotable } from '../interface.ts'
import type { QemuParts } from './parts.ts'
import { nodeNames } from './plugging.ts'
import type { LiveGuest } from './sessions.ts'

const JOB = 'snapshot'
const TARGET = 'snapshot-target'
const JOB_TIMEOUT = 6 * 3_600_000

export function snapshotable(parts: QemuParts): Snapshotable {
  return {
    snapshot: (serverId, target, options = {}) =>
      parts.turn('snapshot', serverId, async (record, signal) => {
        const root = record.disks.root
        if (!root) throw conflict('The server has no root disk of its own.', { code: 'no_root_disk' })
        const live = await parts.sessions.live(serverId)
        if (live) {
          await clearJob(live.qmp)
          await rm(target.path, { force: true })
          await parts.qemuImg.create(target, await virtualSize(live.qmp, 'root'), { signal })
          await backup(parts, serverId, live, target, options.quiesce === true, signal)
        } else {
          const path = parts.records.place(serverId).file(root.file)
          await rm(target.path, { force: true })
          await parts.qemuImg.convert({ path, format: root.format }, target, { signal })
        }
        const { virtual_size } = await parts.qemuImg.info(target, { signal })
        return { size: (await stat(target.path)).size, virtual_size }
      }),
  }
}

async function backup(parts: QemuParts, serverId: string, { qmp }: LiveGuest, target: { path: string; format: string }, quiesce: boolean, signal: AbortSignal): Promise<void> {
  const agent = parts.records.place(serverId).sockets.agent
  await qmp.execute('blockdev-add', { driver: target.format, 'node-name': TARGET, discard: 'unmap', file: { driver: 'file', filename: target.path } })
  try {
    const ended = qmp.waitEvent(['BLOCK_JOB_COMPLETED', 'BLOCK_JOB_CANCELLED'], { timeout: JOB_TIMEOUT, signal, match: ({ data }) => data.device === JOB })
    if (quiesce) await guestAgentExecute(agent, 'guest-fsfreeze-freeze', undefined, { timeout: 30_000 })
    try {
      // What the job copies is the disk at this moment.
      await qmp.execute('blockdev-backup', { 'job-id': JOB, device: 'root', target: TARGET, sync: 'full' })
    } finally {
      if (quiesce) await guestAgentExecute(agent, 'guest-fsfreeze-thaw', undefined, { timeout: 30_000 })
    }
    const event = await ended
    if (event.event !== 'BLOCK_JOB_COMPLETED' || event.data.error !== undefined) throw internal('The snapshot failed.', { detail: event.data.error })
  } finally {
    await clearJob(qmp).catch(() => {})
  }
}

/** Ends a job that an earlier attempt left, and gives its target free. */
async function clearJob(qmp: QmpConnection): Promise<void> {
  const jobs = await qmp.execute<{ id: string }[]>('query-jobs')
  if (jobs.some(({ id }) => id === JOB)) {
    const ended = qmp.waitEvent(['BLOCK_JOB_COMPLETED', 'BLOCK_JOB_CANCELLED'], { timeout: 30_000, match: ({ data }) => data.device === JOB })
    await qmp.execute('block-job-cancel', { device: JOB, force: true }).then(
      () => ended,
      () => {},
    )
  }
  if ((await nodeNames(qmp)).has(TARGET)) await qmp.execute('blockdev-del', { 'node-name': TARGET })
}

export async function virtualSize(qmp: QmpConnection, node: string): Promise<number> {
  const nodes = await qmp.execute<{ 'node-name'?: string; image: { 'virtual-size': number } }[]>('query-named-block-nodes', { flat: true })
  const found = nodes.find((one) => one['node-name'] === node)
  if (!found) throw internal(`The machine has no disk ${node}.`)
  return found.image['virtual-size']
}
