/** What must hold of the object store at rest: what was acknowledged is there, listings and totals tell of it, and no byte lies there that nothing holds. */
import { createHash } from 'node:crypto'
import { looseBytes } from '#swift/processes/loose-bytes.ts'
import type { Cloud } from '../start-cloud.ts'
import { look } from './objects.ts'
import type { User } from './user.ts'

interface Line {
  name: string
  hash: string
  bytes: number
}

export async function checkObjects(cloud: Cloud, users: readonly User[]): Promise<string[]> {
  const broken: string[] = []
  for (const { hands, renew } of users) {
    await renew()
    const { shelf, store } = hands
    for (const [container, inside] of shelf.containers) {
      const listing = await store('GET', `/${container}?format=json`)
      if (listing.status === 404) {
        for (const [name, maybe] of inside) if (!maybe.has(null)) broken.push(`object /${container}/${name} was acknowledged, and its container is not there`)
        continue
      }
      const lines = new Map((JSON.parse(listing.text) as Line[]).map((line) => [line.name, line]))
      let bytes = 0
      for (const [name, maybe] of inside) {
        const line = lines.get(name)
        const { status, text } = await look({ shelf, store }, container, name)
        if ((status === 200) !== (line !== undefined)) broken.push(`object /${container}/${name} answers ${status}, and the listing ${line ? 'names it' : 'does not name it'}`)
        if (line && (line.hash !== createHash('md5').update(text).digest('hex') || line.bytes !== Buffer.byteLength(text))) broken.push(`the listing of /${container} tells another size or checksum of ${name}`)
        if (!line && !maybe.has(null)) broken.push(`object /${container}/${name} was acknowledged and is not listed`)
        bytes += line?.bytes ?? 0
      }
      for (const name of lines.keys()) if (!inside.has(name)) broken.push(`object /${container}/${name} is listed, and nobody made it`)
      const head = await store('HEAD', `/${container}`)
      const told = `${head.json?.objects} objects of ${head.json?.bytes} bytes`
      if (told !== `${lines.size} objects of ${bytes} bytes`) broken.push(`container ${container} tells of ${told}, there are ${lines.size} of ${bytes}`)
    }
    broken.push(...shelf.broken)
  }
  for (const id of await looseBytes(cloud.controls.get('swift')!, 2 * 86_400_000)) broken.push(`bytes ${id} are left, and nothing holds them`)
  return broken
}
