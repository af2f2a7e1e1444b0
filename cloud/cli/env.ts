/** `ondol env`: shell lines on standard output, everything else on standard error. */
import { access } from 'node:fs/promises'
import { invalid } from '#base/fault.ts'
import { placeOf } from './place.ts'

export async function env(options: { data?: string; admin?: boolean }): Promise<void> {
  const place = placeOf(options.data)
  await access(place.cloudsYaml).catch(() => {
    throw invalid(`There is no cloud in ${place.dir} yet. Start one: ./ondol up`)
  })
  process.stdout.write(`export OS_CLIENT_CONFIG_FILE='${place.cloudsYaml}'\nexport OS_CLOUD=${options.admin ? 'ondol-admin' : 'ondol'}\n`)
}
