/**
 * A RabbitMQ of its own for a test: Debian's server on free loopback ports with its own data, its own Erlang port mapper and its
 * own cookie. No system service is touched.
 *
 *     const rabbit = await startRabbitmq()      // undefined when it is not installed
 *     … rabbit.url … await rabbit.restart() …
 *     await rabbit.stop()
 */
import { chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'amqplib'
import { type Daemon, findTool, freePorts, privateDir, runOnce, startDaemon, unprivileged } from '../../test/daemon.ts'

export interface Rabbitmq {
  readonly url: string
  /** Milliseconds from nothing to the first connection. */
  readonly startedIn: number
  /** Ends the broker as a power cut would, and starts it again on the same ports and data. */
  restart(): Promise<void>
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

export interface RabbitmqPlace {
  /** A named network namespace, and the address there on which it listens; needs root. */
  netns: string
  address: string
}

/** `more`: further lines of its configuration. */
export async function startRabbitmq(place?: RabbitmqPlace, more: readonly string[] = []): Promise<Rabbitmq | undefined> {
  // Debian's wrapper in /usr/sbin changes user and folder: what it wraps does as it is told.
  const tool = findTool('rabbitmq-server', ['/usr/lib/rabbitmq/bin'])
  const epmdTool = findTool('epmd')
  if (!tool || !epmdTool) return undefined
  const began = performance.now()
  const user = unprivileged('rabbitmq')
  const { dir, remove } = await privateDir('ondol-rabbitmq-', user)
  const address = place?.address ?? '127.0.0.1'
  const [port = 0, dist = 0, epmdPort = 0] = await freePorts(3)
  const paths = { config: join(dir, 'rabbitmq.conf'), plugins: join(dir, 'plugins'), environment: join(dir, 'env.conf'), data: join(dir, 'data'), logs: join(dir, 'logs') }
  await writeFile(paths.config, [`listeners.tcp.local = ${address}:${port}`, ...(place ? ['loopback_users = none'] : []), 'disk_free_limit.absolute = 1MB', 'vm_memory_high_watermark.relative = 0.8', 'log.console = true', 'log.console.level = warning', 'log.file = false', ...more, ''].join('\n'))
  await writeFile(paths.plugins, '[].\n')
  await writeFile(paths.environment, '')
  for (const path of [paths.data, paths.logs]) {
    await mkdir(path)
    if (user) await chown(path, user.uid, user.gid)
  }
  const env = { ERL_EPMD_PORT: String(epmdPort), ERL_EPMD_ADDRESS: '127.0.0.1' }
  const url = `amqp://guest:guest@${address}:${port}`
  const netns = place?.netns
  const epmd = await startDaemon({ tool: epmdTool, args: ['-port', String(epmdPort), '-address', '127.0.0.1'], env, user, netns, dir, ready: async () => {} })
  const startBroker = (): Promise<Daemon> =>
    startDaemon({
      tool,
      args: ['-noinput'],
      user,
      netns,
      dir,
      env: {
        ...env,
        RABBITMQ_NODENAME: `ondol${port}@localhost`,
        RABBITMQ_NODE_PORT: String(port),
        RABBITMQ_DIST_PORT: String(dist),
        RABBITMQ_MNESIA_BASE: paths.data,
        RABBITMQ_LOG_BASE: paths.logs,
        RABBITMQ_CONFIG_FILE: paths.config,
        RABBITMQ_CONF_ENV_FILE: paths.environment,
        RABBITMQ_ENABLED_PLUGINS_FILE: paths.plugins,
        RABBITMQ_PID_FILE: join(dir, 'pid'),
        // The script replaces itself by Erlang, so that the process we started is the one to stop.
        RABBITMQ_ALLOW_INPUT: '1',
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}',
      },
      // In another namespace no client of this process gets there; the broker listens when it is up.
      ready: () => (netns === undefined ? connect(url, { timeout: 2_000 }).then((model) => model.close()) : runOnce('nsenter', [`--net=/run/netns/${netns}`, 'bash', '-c', `echo > /dev/tcp/${address}/${port}`])),
      patience: 90_000,
    })
  const cleanUp = async (): Promise<void> => {
    await epmd.kill()
    await remove()
  }
  let broker = await startBroker().catch(async (thrown: unknown) => {
    await cleanUp()
    throw thrown
  })
  return {
    url,
    startedIn: Math.round(performance.now() - began),
    kill: () => broker.kill(),
    async start() {
      broker = await startBroker()
    },
    async restart() {
      await broker.kill()
      broker = await startBroker()
    },
    async stop() {
      await broker.stop()
      await cleanUp()
    },
  }
}
