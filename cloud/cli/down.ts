/** `ondol down`. */
import { setTimeout as delay } from 'node:timers/promises'
import { invalid } from '#base/fault.ts'
import { placeOf, runningPid } from './place.ts'

export async function down(options: { data?: string }): Promise<void> {
  const place = placeOf(options.data)
  const pid = await runningPid(place)
  if (!pid) {
    process.stdout.write(`No cloud runs in ${place.dir}.\n`)
    return
  }
  process.kill(pid, 'SIGTERM')
  for (let waited = 0; waited < 30_000; waited += 20) {
    if ((await runningPid(place)) !== pid) {
      process.stdout.write('Stopped. Guests, networks and disks go on; ./ondol up takes them over again.\n')
      return
    }
    await delay(20)
  }
  throw invalid(`Process ${pid} has not ended in 30 s; see ${place.logFile}`)
}
