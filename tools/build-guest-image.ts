/** Builds the guest image by hand: `node tools/build-guest-image.ts <cache folder> [--refresh]`; prints the path of the qcow2. */
import { resolve } from 'node:path'
import { run } from '#base/process/run.ts'
import { createLog } from '#base/log.ts'
import { ensureGuestImage } from '#cloud/guest-image/ensure.ts'
import { HOST_PACKAGES } from '#cloud/guest-image/recipe.ts'

const [folder, ...flags] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: build-guest-image.ts <cache folder> [--refresh]')
  console.error(`Debian packages it needs: ${HOST_PACKAGES.map((each) => each.package).join(' ')}`)
  process.exit(2)
}
const log = createLog({ level: 'info', sinks: [{ form: 'person', sink: process.stderr }] })
const path = await ensureGuestImage({
  cacheDir: resolve(folder),
  run,
  log,
  refresh: flags.includes('--refresh'),
  onProgress: ({ step, fraction }) => console.error(`${Math.round(fraction * 100)}% ${step}`),
})
console.log(path)
