/** `ondol env`: shell lines on standard output, everything else on standard error. */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { invalid } from '#base/fault.ts'
import { placeOf } from './place.ts'

interface Cloud { auth: Record<string, string>; region_name: string; interface: string; identity_api_version: number }

export async function env(options: { data?: string; admin?: boolean; openrc?: boolean }): Promise<void> {
  const place = placeOf(options.data)
  const text = await readFile(place.cloudsYaml, 'utf8').catch(() => {
    throw invalid(`There is no cloud in ${place.dir} yet. Start one: ./ondol up`)
  })
  const name = options.admin ? 'ondol-admin' : 'ondol'
  const lines = options.openrc ? openrc((parse(text) as { clouds: Record<string, Cloud> }).clouds[name]!) : [set('OS_CLIENT_CONFIG_FILE', place.cloudsYaml), set('OS_CLOUD', name)]
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** For clients that know no clouds.yaml; those that do would count on it beside these. */
function openrc({ auth, region_name, interface: which, identity_api_version }: Cloud): string[] {
  return [
    'unset OS_CLOUD OS_CLIENT_CONFIG_FILE', ...Object.entries(auth).map(([key, value]) => set(`OS_${key.toUpperCase()}`, value)),
    set('OS_REGION_NAME', region_name), set('OS_INTERFACE', which), set('OS_IDENTITY_API_VERSION', String(identity_api_version)), set('OS_AUTH_VERSION', String(identity_api_version)),
  ]
}

const set = (name: string, value: string): string => `export ${name}='${value.replaceAll("'", "'\\''")}'`
