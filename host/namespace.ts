/**
 * Running any tool inside a named network namespace. `nsenter` is used and not `ip netns exec`, which also makes a mount
 * namespace and is slower. /proc/sys/net shows the namespace of whoever reads it, so `sysctl` works the same way.
 */
import { invalid } from '#base/fault.ts'
import type { Run } from '#base/process/run.ts'

export function namespacePath(netns: string): string {
  if (!/^[\w.-]+$/.test(netns)) throw invalid(`${JSON.stringify(netns)} is not a name for a network namespace`)
  return `/run/netns/${netns}`
}

/** The same `Run`, inside `netns`; without a name, the process's own namespace. */
export function runInNamespace(run: Run, netns: string | undefined): Run {
  if (netns === undefined) return run
  const net = `--net=${namespacePath(netns)}`
  return (tool, args, options) => run('nsenter', [net, '--', tool, ...args], options)
}

/** Kernel settings such as `net.ipv4.ip_forward`, in one process. */
export async function setSysctls(run: Run, netns: string | undefined, settings: Readonly<Record<string, string | number>>): Promise<void> {
  const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  if (words.length > 0) await runInNamespace(run, netns)('sysctl', ['-q', '-w', ...words])
}
