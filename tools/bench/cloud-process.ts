/**
 * The cloud under measurement, alone in its process, with the log and the trace that `ondol up` writes; the bench asks it for its own CPU
 * time and memory over IPC.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realClock } from '#base/clock.ts'
import { fileSink } from '#base/file-sink.ts'
import { createLog } from '#base/log.ts'
import { createTrace } from '#base/trace.ts'
import { startCloud } from '#cloud/start-cloud.ts'
import { traceFile } from '#cloud/trace-file.ts'
import { type Profiling, startProfile } from './profiler.ts'

const began = performance.now()
const hosts = Number(process.env.BENCH_HOSTS ?? '0')
const records = mkdtempSync(join(tmpdir(), 'ondol-bench-'))
process.on('exit', () => rmSync(records, { recursive: true, force: true }))
const quiet = process.env.BENCH_QUIET !== undefined
// What goes wrong under measurement belongs before the eyes of whoever measures.
const errors = { write: (line: string): void => void (line.startsWith('{"level":"error"') && process.stderr.write(line)) }
const log = createLog({ level: 'info', sinks: [{ form: 'json', sink: fileSink(join(records, 'ondol.log')) }, { form: 'json', sink: errors }] })
const trace = createTrace(realClock, { sink: traceFile(join(records, 'trace')), host: 'bench' })
const cloud = await startCloud({ ...(quiet ? {} : { world: { log, trace } }), ...(process.env.BENCH_DATA ? { dataDir: process.env.BENCH_DATA } : {}), config: { ...(hosts > 0 ? { 'nova.agent.hosts': hosts } : {}), ...(JSON.parse(process.env.BENCH_CONFIG ?? '{}') as object) } })
const { admin } = cloud.credentials
process.send!({ kind: 'ready', url: cloud.url, ms: performance.now() - began, since_start: performance.now(), username: admin.username, password: admin.password.reveal(), project: admin.project_name })
let profiling: Profiling | undefined
process.on('message', (question) => {
  if (question === 'pid') process.send!({ kind: 'pid', pid: process.pid })
  if (question === 'profile') {
    if (profiling) void profiling.stop(60, process.env.BENCH_PROFILE).then((top) => process.send!({ kind: 'profile', top }))
    else void startProfile().then((begun) => process.send!({ kind: 'profiling', begun: Boolean((profiling = begun)) }))
    if (profiling) profiling = undefined
  }
  if (question === 'again') {
    const at = performance.now()
    void startCloud().then(async (another) => {
      const ms = performance.now() - at
      await another.close()
      process.send!({ kind: 'again', ms })
    })
  }
  if (question === 'usage') {
    const { user, system } = process.cpuUsage()
    process.send!({ kind: 'usage', cpu_ms: (user + system) / 1000, rss_mib: process.memoryUsage.rss() / 2 ** 20 })
  }
  if (question === 'stop') void cloud.close().then(() => process.exit(0))
})
process.on('disconnect', () => process.exit(0))
