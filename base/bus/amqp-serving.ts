/**
 * One topic served over AMQP. Three queues feed it:
 *
 * - `ondol.call.<topic>` lives as long as somebody serves the topic: a call to nobody comes back at once
 * - `ondol.cast.<topic>` is durable (a quorum queue) and keeps wake-ups over a restart of broker or server
 * - one of its own, bound to the exchange `ondol.fanout` under the topic's name
 *
 * A message is acknowledged after it was handled, so that another server gets it when this one dies.
 */
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib'
import { conflict, unavailable } from '../fault.ts'
import type { World } from '../world.ts'
import { Desk } from './desk.ts'
import { unseal } from './envelope.ts'
import type { Handlers, ServeOptions } from './interface.ts'
import { Taken } from './taken.ts'

export const FANOUT_EXCHANGE = 'ondol.fanout'
export const callQueue = (topic: string): string => `ondol.call.${topic}`
export const castQueue = (topic: string): string => `ondol.cast.${topic}`

/** A wake-up that nobody took for so long is news to nobody; a topic that nobody served for so long is of a host that is gone. */
const CAST_TTL = 10 * 60_000
const TOPIC_TTL = 24 * 3_600_000
/** How long the broker may take to let a queue be consumed (ms), and after how many failures a queue of casts is made anew. */
const CASTS_PATIENCE = 3_000
const CASTS_TRIES = 2
/** What two machines' clocks may differ by (ms): the broker drops expired calls by its own clock, exactly. */
const TOLERANCE = 5_000

export class AmqpServing {
  readonly #world: World
  readonly #topic: string
  readonly #desk: Desk
  readonly #options: ServeOptions
  readonly #taken: Taken
  #legs: { channel: Channel; tags: string[] }[] = []
  readonly #stop = new AbortController()

  constructor(world: World, topic: string, handlers: Handlers, options: ServeOptions) {
    this.#world = world
    this.#topic = topic
    this.#options = options
    this.#desk = new Desk(world, handlers, options)
    this.#taken = new Taken(world)
  }

  /**
   * Consumes over `model`. `lost` is called when the broker ends it. Throws `conflict` when another server is alone here, else
   * `unavailable`. A queue of casts that does not come up in time does not hold up the calls: it is tried on beside them.
   */
  async attach(model: ChannelModel, lost: () => void): Promise<void> {
    this.#legs = []
    const casts = this.#attachCasts(model)
    await this.#attachCalls(model, lost)
    await Promise.race([casts, this.#world.clock.sleep(CASTS_PATIENCE)])
  }

  async #attachCalls(model: ChannelModel, lost: () => void): Promise<void> {
    const topic = this.#topic
    await this.#leg(model, lost, async (channel, consume) => {
      await channel.assertQueue(callQueue(topic), { durable: true, autoDelete: true })
      const own = await channel.assertQueue('', { exclusive: true, autoDelete: true })
      await channel.bindQueue(own.queue, FANOUT_EXCHANGE, topic)
      await consume(callQueue(topic), this.#options.exclusive ?? false)
      await consume(own.queue, true)
    })
  }

  /** Until it succeeds or the connection ends. A quorum queue without a leader neither answers nor fails; at last it is made anew. */
  async #attachCasts(model: ChannelModel): Promise<void> {
    const topic = this.#topic
    for (let failures = 0; !this.#stop.signal.aborted; failures++) {
      try {
        const again = (): void => void this.#world.clock.after(100, () => void this.#attachCasts(model))
        await this.#leg(model, again, async (channel, consume) => {
          if (failures === CASTS_TRIES) await channel.deleteQueue(castQueue(topic))
          await channel.assertQueue(castQueue(topic), { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-message-ttl': CAST_TTL, 'x-expires': TOPIC_TTL } })
          await consume(castQueue(topic), false)
        })
        return
      } catch (thrown) {
        if (ended(model) || this.#stop.signal.aborted) return
        this.#world.log.module('bus').warn('Could not take the casts of a topic', { topic, failures: failures + 1, error: thrown })
        await this.#world.clock.sleep(Math.min(10_000, 500 * 2 ** failures), this.#stop.signal).catch(() => {})
      }
    }
  }

  /** One channel with its consumers; all of it in time, or none of it. */
  async #leg(model: ChannelModel, lost: () => void, declare: (channel: Channel, consume: (queue: string, exclusive: boolean) => Promise<void>) => Promise<void>): Promise<void> {
    const topic = this.#topic
    const channel = await model.createChannel()
    const leg = { channel, tags: [] as string[] }
    let refused: unknown
    let ready = false
    channel.on('error', (thrown: unknown) => {
      refused = thrown
    })
    channel.on('close', () => {
      this.#legs = this.#legs.filter((one) => one !== leg)
      if (ready && !this.#stop.signal.aborted && !ended(model)) lost()
    })
    // A null message: the broker has ended this consumer, e.g. because the queue's node went away.
    const receive = (message: ConsumeMessage | null): void => void (message ? this.#receive(channel, message) : channel.close().catch(() => {}))
    const late = new AbortController()
    try {
      await Promise.race([
        (async () => {
          await channel.prefetch(this.#options.concurrency ?? 64)
          await declare(channel, async (queue, exclusive) => {
            leg.tags.push((await channel.consume(queue, receive, { exclusive })).consumerTag)
          })
        })(),
        this.#world.clock.sleep(CASTS_PATIENCE, late.signal).then(() => {
          throw unavailable('The message broker did not answer', { code: 'bus.serve' })
        }),
      ])
      ready = true
      this.#legs.push(leg)
    } catch (thrown) {
      channel.close().catch(() => {})
      if ((refused as { code?: number } | undefined)?.code === 403) throw conflict(`Another server serves ${topic} alone`, { code: 'bus.exclusive', cause: refused })
      throw unavailable(`${topic} cannot be served`, { code: 'bus.serve', cause: refused ?? thrown })
    } finally {
      late.abort()
    }
  }

  async #receive(channel: Channel, message: ConsumeMessage): Promise<void> {
    const envelope = unseal(message.content.toString())
    if (envelope) {
      const { replyTo, correlationId } = message.properties as { replyTo?: string; correlationId?: string }
      const handle = (): Promise<string | undefined> => this.#desk.handle(envelope, { tolerance: TOLERANCE })
      if (replyTo && correlationId) await this.#taken.take(envelope.id, handle, (text) => attempt(() => channel.publish('', replyTo, Buffer.from(text), { correlationId, contentType: 'application/json' })))
      else await handle()
    } else this.#world.log.module('bus').warn('Dropped what is no message of ours', { topic: this.#topic, bytes: message.content.length })
    attempt(() => channel.ack(message))
  }

  async close(): Promise<void> {
    this.#stop.abort()
    const legs = this.#legs
    await Promise.all(legs.flatMap(({ channel, tags }) => tags.map((tag) => channel.cancel(tag).catch(() => {}))))
    await this.#desk.drained()
    await Promise.all(legs.map(({ channel }) => channel.close().catch(() => {})))
  }
}

/** Whether the connection is over, also when nobody was told yet. */
function ended(model: ChannelModel): boolean {
  return (model.connection as unknown as { stream?: { destroyed?: boolean } }).stream?.destroyed ?? false
}

/** The channel may have died while the handler ran: then the broker gives the message to somebody else. */
function attempt(use: () => unknown): void {
  try {
    use()
  } catch {
    // See above.
  }
}
