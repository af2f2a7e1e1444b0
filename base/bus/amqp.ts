/**
 * The bus over RabbitMQ (AMQP 0-9-1). Calls answer over direct reply-to, casts are confirmed by the broker. When the connection is
 * lost, topics are served again after reconnecting, calls under way are sent again, and new messages wait a little for that; what
 * waits in vain fails with `unavailable`.
 */
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage, Message } from 'amqplib'
import { invalid, isFault, unavailable } from '../fault.ts'
import type { World } from '../world.ts'
import { AmqpLink } from './amqp-link.ts'
import { AmqpServing, callQueue, castQueue, FANOUT_EXCHANGE } from './amqp-serving.ts'
import { Calls, type Request } from './calls.ts'
import { seal } from './envelope.ts'
import type { Bus } from './interface.ts'

export interface AmqpOptions {
  /** `amqp://user:secret@host:port/vhost`, several with commas between. */
  url: string
  /** Name of this process: the sender of its messages, and its connection's name at the broker. */
  name: string
  /** Milliseconds the start waits for the broker. Default 60,000. */
  startPatience?: number
  /** Milliseconds a message waits for the connection to come back. Default 5,000. */
  patience?: number
}

/** How often a topic is tried whose connection was lost meanwhile. */
const SERVE_TRIES = 5
const REPLY_TO = 'amq.rabbitmq.reply-to'

/** Throws `unavailable` when the broker cannot be reached in time. */
export async function amqpBus(world: World, options: AmqpOptions): Promise<Bus> {
  const log = world.log.module('bus')
  const patience = options.patience ?? 5_000
  const calls = new Calls(world, options.name, patience)
  const casts = new Set<(reason: unknown) => void>()
  const servings = new Map<AmqpServing, string>()
  let wire: { model: ChannelModel; asking: Channel; telling: ConfirmChannel } | undefined
  let closed = false

  const failCasts = (reason: unknown): void => {
    for (const reject of casts) reject(reason)
  }

  const onAnswer = (message: ConsumeMessage | null): void => {
    if (!message) return
    calls.onText(message.properties.correlationId as string, message.content.toString())
  }
  const onReturn = (message: Message): void => {
    calls.onNobody(message.properties.correlationId as string, message.fields.routingKey.slice(callQueue('').length))
  }

  /** After the broker ended a serving. When it was the connection that ended, nothing is to be done here. */
  const again = (serving: AmqpServing, model: ChannelModel) => (): void => void world.clock.after(100, () => void attach(serving, model))

  /** Keeps trying while the connection lives: the broker may still hold what this process had before. */
  const attach = async (serving: AmqpServing, model: ChannelModel): Promise<void> => {
    for (let pause = 500; wire?.model === model && servings.has(serving); pause = Math.min(10_000, pause * 2)) {
      try {
        await serving.attach(model, again(serving, model))
        return
      } catch (thrown) {
        log.warn('Could not serve a topic', { topic: servings.get(serving), error: thrown })
        await world.clock.sleep(pause)
      }
    }
  }

  const link = new AmqpLink(world, {
    urls: options.url.split(','),
    name: options.name,
    async setUp(model) {
      const asking = await model.createChannel()
      const telling = await model.createConfirmChannel()
      for (const channel of [asking, telling]) {
        channel.on('error', (thrown: unknown) => log.warn('The message broker closed a channel', { error: thrown }))
        // These two are the connection: without one of them nothing works, so all of it is made anew.
        channel.on('close', () => void link.reset())
      }
      asking.on('return', onReturn)
      await asking.consume(REPLY_TO, onAnswer, { noAck: true })
      await telling.assertExchange(FANOUT_EXCHANGE, 'direct', { durable: true })
      wire = { model, asking, telling }
      await Promise.all([...servings.keys()].map((serving) => Promise.race([attach(serving, model), world.clock.sleep(1_000)])))
    },
    down(why) {
      wire = undefined
      calls.onDisconnected(why)
      failCasts(unavailable('The connection to the message broker was lost', { code: 'bus.disconnected', cause: why }))
    },
  })

  const connected = async (limit: number, signal?: AbortSignal): Promise<NonNullable<typeof wire>> => {
    if (closed) throw unavailable('The message bus is closed', { code: 'bus.closed' })
    if (!wire || !link.up) await link.whenUp(Math.min(limit, patience), signal)
    if (!wire) throw unavailable('The message broker cannot be reached', { code: 'bus.disconnected' })
    return wire
  }

  const send = async ({ id, topic, text, left, signal }: Request): Promise<void> => {
    const { asking } = await connected(left, signal)
    if (signal.aborted) return
    try {
      asking.publish('', callQueue(topic), Buffer.from(text), { mandatory: true, replyTo: REPLY_TO, correlationId: id, expiration: String(Math.max(1, Math.ceil(left))), contentType: 'application/json' })
    } catch (thrown) {
      throw unavailable('The message broker did not take a message', { code: 'bus.disconnected', cause: thrown })
    }
  }

  const tell = async (exchange: string, key: string, text: string): Promise<void> => {
    const { telling } = await connected(patience)
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: unknown): void => {
        casts.delete(fail)
        reject(reason)
      }
      casts.add(fail)
      telling.publish(exchange, key, Buffer.from(text), { persistent: true, contentType: 'application/json' }, (error) => {
        casts.delete(fail)
        if (error) reject(unavailable('The message broker did not take a message', { code: 'bus.refused', cause: error }))
        else resolve()
      })
    })
  }

  link.start()
  await link.whenUp(options.startPatience ?? 60_000).catch(async (thrown: unknown) => {
    await link.close()
    throw thrown
  })

  return {
    get up() {
      return wire !== undefined
    },
    async call(topic, method, payload, callOptions = {}) {
      checkTopic(topic)
      return calls.call(topic, method, payload, callOptions, send)
    },
    async cast(topic, method, payload) {
      checkTopic(topic)
      await tell('', castQueue(topic), seal(world, options.name, 'cast', topic, method, payload).text)
    },
    async fanout(topic, method, payload) {
      checkTopic(topic)
      await tell(FANOUT_EXCHANGE, topic, seal(world, options.name, 'fanout', topic, method, payload).text)
    },
    async serve(topic, handlers, serveOptions = {}) {
      checkTopic(topic)
      const serving = new AmqpServing(world, topic, handlers, serveOptions)
      for (let tries = 1; ; tries++) {
        const { model } = await connected(patience)
        try {
          await serving.attach(model, again(serving, model))
          servings.set(serving, topic)
          break
        } catch (thrown) {
          // Two processes that make the same queue at one moment: RabbitMQ may end the connection of one with 541.
          const lost = wire?.model !== model && isFault(thrown, 'unavailable')
          if (!lost || tries === SERVE_TRIES) throw thrown
          await world.clock.sleep(200 * tries)
        }
      }
      return {
        async close() {
          servings.delete(serving)
          await serving.close()
        },
      }
    },
    async close() {
      if (closed) return
      closed = true
      const open = [...servings.keys()]
      servings.clear()
      await Promise.all(open.map((serving) => serving.close()))
      const reason = unavailable('The message bus is closed', { code: 'bus.closed' })
      calls.endAll(reason)
      failCasts(reason)
      await link.close()
    },
  }
}

function checkTopic(topic: string): void {
  if (topic === '' || Buffer.byteLength(topic) > 200) throw invalid('A topic has 1 to 200 bytes', { field: 'topic' })
}
