/** The hint `query`: `["and", [">=", "$free_ram_mb", 1024], ["=", "$hypervisor_hostname", "a"]]`. */
import type { Candidate } from './types.ts'

type Values = (string | number | boolean)[]

export function queryHolds(query: unknown, candidate: Candidate): boolean {
  const result = evaluate(query, candidate)
  return Array.isArray(result) ? result.some(Boolean) : Boolean(result)
}

function evaluate(query: unknown, candidate: Candidate): unknown {
  if (typeof query === 'string') return query.startsWith('$') ? variable(query.slice(1), candidate) : query
  if (!Array.isArray(query) || query.length === 0) return query
  const [operator, ...rest] = query as unknown[]
  const args = rest.map((one) => evaluate(one, candidate))
  const [first, ...others] = args as Values
  switch (operator) {
    case '=':
      return others.every((one) => one === first)
    case '<':
      return others.every((one) => first! < one)
    case '>':
      return others.every((one) => first! > one)
    case '<=':
      return others.every((one) => first! <= one)
    case '>=':
      return others.every((one) => first! >= one)
    case 'in':
      return others.includes(first!)
    case 'not':
      return args.map((one) => !one)
    case 'or':
      return args.some(Boolean)
    case 'and':
      return args.every(Boolean)
    default:
      return false
  }
}

function variable(path: string, { host, free_ram_mb, free_disk_gb, free_vcpus }: Candidate): unknown {
  const known: Record<string, unknown> = {
    free_ram_mb, free_disk_mb: free_disk_gb * 1_024, vcpus_free: free_vcpus, host: host.host, hypervisor_hostname: host.node, nodename: host.node, hypervisor_type: host.hypervisor_type,
    num_instances: host.instances, num_io_ops: host.busy, 'service.host': host.host,
  }
  return known[path] ?? host.capabilities[path]
}
