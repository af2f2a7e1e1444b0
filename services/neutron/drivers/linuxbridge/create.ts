/** Puts the driver together with the real tools. */
import { run as realRun, type Run } from '#base/process/run.ts'
import type { World } from '#base/world.ts'
import { createBridge } from '#host/bridge.ts'
import { createConntrack } from '#host/conntrack.ts'
import { realDaemons } from '#host/daemon.ts'
import { createDnsmasq } from '#host/dnsmasq.ts'
import { createIp } from '#host/ip.ts'
import { serveInNamespace } from '#host/namespace-http.ts'
import { listenInNamespace } from '#host/namespace-listener.ts'
import { createNft } from '#host/nft.ts'
import { createRadvd } from '#host/radvd.ts'
import { createTc } from '#host/tc.ts'
import { LinuxbridgeDriver } from './driver.ts'
import type { HostTools, LinuxbridgeOptions } from './host.ts'

export function createLinuxbridge(options: LinuxbridgeOptions, world: World, run: Run = realRun): LinuxbridgeDriver {
  return new LinuxbridgeDriver(options, realTools(run), world)
}

export function realTools(run: Run): HostTools {
  return {
    run,
    ip: createIp(run),
    nft: createNft(run),
    bridge: createBridge(run),
    conntrack: createConntrack(run),
    tc: createTc(run),
    daemons: realDaemons,
    dnsmasq: createDnsmasq(run, realDaemons),
    radvd: createRadvd(run, realDaemons),
    serve: serveInNamespace(listenInNamespace),
  }
}
