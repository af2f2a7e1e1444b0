/**
 * What the real driver adds to bare QEMU: a guest made by the driver beside the very same command line started by hand. The image is in the
 * host's cache already; cards are left out, as nobody wires them here. Both end when the machine runs and its monitor answers.
 */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { connectQmp } from '#host/qmp.ts'
import { makeSpec } from '#nova/drivers/conformance.ts'
import { qemuBench, testImage } from '#nova/drivers/qemu/bench.ts'

const run = promisify(execFile)

export interface RealBoot {
  /** Milliseconds, the middle one of all rounds. */
  driver_ms: number
  bare_ms: number
  accelerator: string
}

export async function realBoot(rounds = 5): Promise<RealBoot | { skipped: string }> {
  const image = testImage()
  if ('reason' in image) return { skipped: image.reason }
  const bench = await qemuBench(image.path)
  const driver = await bench.open()
  const { host_id } = await driver.facts()
  const own: number[] = []
  const bare: number[] = []
  let accelerator = ''
  try {
    for (let i = 0; i <= rounds; i++) {
      const spec = makeSpec(bench)
      const began = performance.now()
      await driver.ensureGuest(spec, bench.source, 'running')
      const took = performance.now() - began
      const { pid, line } = processOf(spec.server_id)
      accelerator = /-accel (\w+)/.exec(line.join(' '))?.[1] ?? '?'
      await driver.powerOff(spec.server_id)
      while (alive(pid)) await new Promise((resolve) => setTimeout(resolve, 5))
      const at = performance.now()
      await run(line[0]!, line.slice(1))
      const monitor = await connectQmp(/id=monitor,path=([^,]+)/.exec(line.join(' '))![1]!)
      const plain = performance.now() - at
      monitor.close()
      process.kill(processOf(spec.server_id).pid, 'SIGKILL')
      await driver.ensureNoGuest({ server_id: spec.server_id, host_id })
      // The first round brings the image and warms the caches.
      if (i > 0) {
        own.push(took)
        bare.push(plain)
      }
    }
  } finally {
    await driver.close?.()
    await bench.close()
  }
  const middle = (times: number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!
  return { driver_ms: middle(own), bare_ms: middle(bare), accelerator }
}

function processOf(serverId: string): { pid: number; line: string[] } {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').slice(0, -1)
      if (line[0]?.includes('qemu-system') && line.includes(serverId)) return { pid: Number(name), line }
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error(`No machine of ${serverId} runs`)
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
