/** What is counted against quotas, and the limits a cloud begins with. */
export const QUOTAS: Readonly<Record<string, number>> = {
  network: 100,
  subnet: 100,
  subnetpool: -1,
  port: 500,
  router: 10,
  floatingip: 50,
  security_group: 10,
  security_group_rule: 100,
  rbac_policy: 10,
  trunk: -1,
}

/** Resources that would go over their limit. `used` + `delta` against `limit`; -1 is no limit. */
export function overQuota(limits: Readonly<Record<string, number>>, used: Readonly<Record<string, number>>, deltas: Readonly<Record<string, number>>): string[] {
  return Object.entries(deltas)
    .filter(([resource, delta]) => (limits[resource] ?? -1) >= 0 && (used[resource] ?? 0) + delta > limits[resource]!)
    .map(([resource]) => resource)
}
