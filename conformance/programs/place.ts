/** A cloud for programs that keep their things in its object store, with what they need to know of it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cloud, startCloud } from '#cloud/start-cloud.ts'
import { pattern } from '#swift/drivers/conformance.ts'
import { runTool } from '../client/tool.ts'

export interface Place {
  cloud: Cloud
  /** Everything that the test writes; gone with `close`. */
  dir: string
  /** The S3 door, and keys for it. */
  s3: { url: string; access: string; secret: string }
  /** For clients of Keystone and Swift. */
  openstack: Record<string, string>
  /** A token of the admin in its project. */
  token: string
  /** Bytes of a file `big` in `dir`. */
  big: Buffer
  run(tool: string, args: readonly string[], env?: Record<string, string>): Promise<string>
  close(): Promise<void>
}

export async function startPlace(): Promise<Place> {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-programs-'))
  const cloud = await startCloud({ port: 0, config: { 'seed.enabled': false } })
  const { username, password, project_name } = cloud.credentials.admin
  const openstack = {
    OS_AUTH_URL: `${cloud.url}/identity/v3`, OS_USERNAME: username, OS_PASSWORD: password.reveal(), OS_PROJECT_NAME: project_name,
    OS_USER_DOMAIN_NAME: 'Default', OS_PROJECT_DOMAIN_NAME: 'Default', OS_REGION_NAME: cloud.credentials.region, OS_IDENTITY_API_VERSION: '3',
  }
  const run: Place['run'] = (tool, args, env = {}) => runTool({ cwd: dir, env: { PATH: '/usr/bin:/usr/sbin:/bin', HOME: dir, ...env } }, tool, args)
  const { access, secret } = JSON.parse(await run('openstack', ['ec2', 'credentials', 'create', '-f', 'json'], openstack)) as { access: string; secret: string }
  const token = (await run('openstack', ['token', 'issue', '-f', 'value', '-c', 'id'], openstack)).trim()
  const big = Buffer.from(pattern(17_000_000))
  await writeFile(join(dir, 'big'), big)
  return {
    cloud, dir, openstack, token, big, run, s3: { url: `${cloud.url}/s3`, access, secret },
    async close() {
      await cloud.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
