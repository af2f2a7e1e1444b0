/** Trees of providers. */

interface Node {
  uuid: string
  parent_provider_uuid: string | null
}

/** The provider and everything below it, out of the rows of its tree. */
export function subtreeOf(tree: readonly Node[], uuid: string): string[] {
  const children = Map.groupBy(tree, (node) => node.parent_provider_uuid)
  const found = [uuid]
  for (const at of found) for (const child of children.get(at) ?? []) found.push(child.uuid)
  return found
}

/** The provider, its parent, and so on up to the root. */
export function ancestorsOf(byUuid: ReadonlyMap<string, Node>, uuid: string): Set<string> {
  const found = new Set<string>()
  for (let at: string | null | undefined = uuid; at; at = byUuid.get(at)?.parent_provider_uuid) found.add(at)
  return found
}

/** Whether one of the providers has all the others below it. */
export function isOneSubtree(byUuid: ReadonlyMap<string, Node>, uuids: ReadonlySet<string>): boolean {
  if (uuids.size <= 1) return true
  const lines = [...uuids].map((uuid) => ancestorsOf(byUuid, uuid))
  return [...uuids].some((top) => lines.every((line) => line.has(top)))
}
