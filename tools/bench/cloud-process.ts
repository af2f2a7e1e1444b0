/** The cloud under measurement, alone in its process; the bench asks it for its own CPU time and memory over IPC. */
import { startCloud } from '#cloud/start-cloud.ts'

const began = performance.now()
const hosts = Number(process.env.BENCH_HOSTS ?? '0')
const cloud = await startCloud({ ...(process.env.BENCH_DATA ? { dataDir: process.env.BENCH_DATA } : {}), ...(hosts > 0 ? { config: { 'nova.agent.hosts': hosts } } : {}) })
const { admin } = cloud.credentials
process.send!({ kind: 'ready', url: cloud.url, ms: performance.now() - began, since_start: performance.now(), username: admin.username, password: admin.password.reveal(), project: admin.project_name })
process.on('message', (question) => {
  if (question === 'usage') {
    const { user, system } = process.cpuUsage()
    process.send!({ kind: 'usage', cpu_ms: (user + system) / 1000, rss_mib: process.memoryUsage.rss() / 2 ** 20 })
  }
  if (question === 'stop') void cloud.close().then(() => process.exit(0))
})
process.on('disconnect', () => process.exit(0))
