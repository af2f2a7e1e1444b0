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

export const FANOUT_EXCHANGE = 'ondol.fanout'
export const callQueue = (topic: string): string => `ondol.call.${topic}`
export const castQueue = (topic: string): string => `ondol.cast.${topic}`

/** A wake-up that nobody took for so long is news to nobody; a topic that nobody served for so long is of a host that is gone. */
const CAST_TTL = 10 * 60_000
const TOPIC_TTL = 24 * 3_600_000
/** What two machines' clocks may differ by (ms): the broker drops expired calls by its own clock, exactly. */
const TOLERANCE = 5_000

export class AmqpServing {
  readonly #world: World
  readonly #topic: string
  readonly #desk: Desk
  readonly #options: ServeOptions
  #channel: Channel | undefined
  #tags: string[] = []
  #closed = false

  constructor(world: World, topic: string, handlers: Handlers, options: ServeOptions) {
    this.#world = world
    this.#topic = topic
    this.#options = options
    this.#desk = new Desk(world, handlers, options)
  }

  /** Declares and consumes on a channel of `model`. `lost` is called when the broker ends it while the connection lives. */
  async attach(model: ChannelModel, lost: () => void): Promise<void> {
    if (this.#closed) return
    const topic = this.#topic
    const channel = await model.createChannel()
    let refused: unknown
    let ready = false
    channel.on('error', (thrown: unknown) => {
      refused = thrown
    })
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = undefined
      if (ready && !this.#closed) lost()
    })
    try {
      await channel.prefetch(this.#options.concurrency ?? 64)
      await channel.assertQueue(callQueue(topic), { durable: true, autoDelete: true })
      await channel.assertQueue(castQueue(topic), { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-message-ttl': CAST_TTL, 'x-expires': TOPIC_TTL } })
      const own = await channel.assertQueue('', { exclusive: true, autoDelete: true })
      await channel.bindQueue(own.queue, FANOUT_EXCHANGE, topic)
      // A null message: the broker has ended this consumer, e.g. because the queue's node went away.
      const receive = (message: ConsumeMessage | null): void => void (message ? this.#receive(channel, message) : channel.close().catch(() => {}))
      const exclusive = this.#options.exclusive ?? false
      this.#tags = []
      for (const [queue, alone] of [
        [callQueue(topic), exclusive],
        [castQueue(topic), false],
        [own.queue, true],
      ] as const) {
        const { consumerTag } = await channel.consume(queue, receive, { exclusive: alone })
        this.#tags.push(consumerTag)
      }
      this.#channel = channel
      ready = true
    } catch (thrown) {
      await channel.close().catch(() => {})
      const code = (refused as { code?: number } | undefined)?.code
      if (code === 403) throw conflict(`Another server serves ${topic} alone`, { code: 'bus.exclusive', cause: refused })
      throw unavailable(`${topic} cannot be served`, { code: 'bus.serve', cause: refused ?? thrown })
    }
  }

  async #receive(channel: Channel, message: ConsumeMessage): Promise<void> {
    const envelope = unseal(message.content.toString())
    if (envelope) {
      const answer = await this.#desk.handle(envelope, { tolerance: TOLERANCE })
      const { replyTo, correlationId } = message.properties as { replyTo?: string; correlationId?: string }
      if (answer !== undefined && replyTo && correlationId) attempt(() => channel.publish('', replyTo, Buffer.from(answer), { correlationId, contentType: 'application/json' }))
    } else this.#world.log.module('bus').warn('Dropped what is no message of ours', { topic: this.#topic, bytes: message.content.length })
    attempt(() => channel.ack(message))
  }

  async close(): Promise<void> {
    this.#closed = true
    const channel = this.#channel
    if (channel) await Promise.all(this.#tags.map((tag) => channel.cancel(tag).catch(() => {})))
    await this.#desk.drained()
    await channel?.close().catch(() => {})
  }
}

/** The channel may have died while the handler ran: then the broker gives the message to somebody else. */
function attempt(use: () => unknown): void {
  try {
    use()
  } catch {
    // See above.
  }
}
