/** Settings of Debian's Glance with its images in the object store of a cloud. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Place } from './place.ts'

export interface GlanceAsk {
  dir: string
  port: number
  place: Place
  user: { name: string; password: string }
}

/** `swift`: one account holds all images; `swift-each`: every project its own; `s3`. Writes the files, and says where the main one is. */
export async function glanceConfig(kind: 'swift' | 'swift-each' | 's3', { dir, port, place, user }: GlanceAsk): Promise<string> {
  const { cloud, s3 } = place
  const at = (name: string): string => join(dir, name)
  await Promise.all(['staging', 'tasks'].map((name) => mkdir(at(name))))
  const segments = 'swift_store_create_container_on_put = True\nswift_store_large_object_size = 5\nswift_store_large_object_chunk_size = 2\n'
  const stores = {
    swift: `swift_store_config_file = ${at('swift.conf')}\ndefault_swift_reference = one\n${segments}`,
    'swift-each': `swift_store_multi_tenant = True\nswift_store_auth_version = 3\nswift_store_auth_address = ${cloud.url}/identity/v3\nswift_store_user = service:${user.name}\nswift_store_key = ${user.password}\nswift_store_admin_tenants = service:${user.name}\n${segments}`,
    s3: `s3_store_host = ${s3.url}\ns3_store_access_key = ${s3.access}\ns3_store_secret_key = ${s3.secret}\ns3_store_bucket = images\ns3_store_create_bucket_on_put = True\ns3_store_bucket_url_format = path\ns3_store_large_object_size = 5\ns3_store_large_object_chunk_size = 5\n`,
  }
  await writeFile(at('swift.conf'), `[one]\nuser = service:${user.name}\nkey = ${user.password}\nauth_address = ${cloud.url}/identity/v3\nauth_version = 3\nuser_domain_id = default\nproject_domain_id = default\n`)
  const pairs = (more: object): string => Object.entries(more).map(([key, value]) => `${key} = ${value}\n`).join('')
  await writeFile(at('glance.conf'), [
    `[DEFAULT]\n${pairs({ enabled_backends: `store:${kind === 's3' ? 's3' : 'swift'}`, bind_host: '127.0.0.1', bind_port: port, workers: 0, log_file: at('glance.log') })}`,
    `[oslo_concurrency]\nlock_path = ${dir}\n`,
    `[database]\nconnection = sqlite:///${at('glance.db')}\n`,
    '[glance_store]\ndefault_backend = store\n',
    `[store]\n${stores[kind]}`,
    `[os_glance_staging_store]\nfilesystem_store_datadir = ${at('staging')}\n`,
    `[os_glance_tasks_store]\nfilesystem_store_datadir = ${at('tasks')}\n`,
    `[keystone_authtoken]\n${pairs({ auth_url: `${cloud.url}/identity`, www_authenticate_uri: `${cloud.url}/identity`, auth_type: 'password', username: user.name, password: user.password, project_name: 'service', user_domain_id: 'default', project_domain_id: 'default' })}`,
    '[paste_deploy]\nflavor = keystone\nconfig_file = /etc/glance/glance-api-paste.ini\n',
  ].join(''))
  return at('glance.conf')
}
