/** What one call over the bus costs: `node tools/bench-bus.ts`. In memory, and over a RabbitMQ of its own where that is installed. */
import { amqpBus } from '#base/bus/amqp.ts'
import type { Bus } from '#base/bus/interface.ts'
import { memoryBus } from '#base/bus/memory.ts'
import { startRabbitmq } from '#base/bus/test/rabbitmq.ts'
import { world } from '#base/world.ts'

const payload = { server_id: '7d1a0a39-6c55-4d3e-9a5e-2f6f1d4f2a11', ports: ['a', 'b'] }

async function measure(name: string, asking: Bus, serving: Bus, count: number): Promise<void> {
  await serving.serve('bench.topic', { echo: (body: unknown) => body })
  const one = async (): Promise<number> => {
    const began = performance.now()
    await asking.call('bench.topic', 'echo', payload)
    return performance.now() - began
  }
  for (let i = 0; i < count / 5; i++) await one()
  const times: number[] = []
  const cpu = process.cpuUsage()
  for (let i = 0; i < count; i++) times.push(await one())
  const used = process.cpuUsage(cpu)
  times.sort((a, b) => a - b)
  const at = (share: number): string => times[Math.floor(times.length * share)]!.toFixed(3)
  console.log(`${name.padEnd(8)} one after another: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${((used.user + used.system) / count).toFixed(1)} µs CPU per call (both ends)`)
  const began = performance.now()
  await Promise.all(Array.from({ length: count }, one))
  console.log(`${name.padEnd(8)} ${count} at once: ${Math.round((count / (performance.now() - began)) * 1000)} calls per second`)
}

const memory = memoryBus(world())
await measure('memory', memory, memory, 20_000)
const rabbit = await startRabbitmq()
if (rabbit) {
  const asking = await amqpBus(world(), { url: rabbit.url, name: 'asking' })
  const serving = await amqpBus(world(), { url: rabbit.url, name: 'serving' })
  await measure('amqp', asking, serving, 2_000)
  await asking.close()
  await serving.close()
  await rabbit.stop()
}
