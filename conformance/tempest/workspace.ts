/** A Tempest workspace for a running cloud: `etc/tempest.conf`, and the images and flavors the tests ask for. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cloud } from '#cloud/start-cloud.ts'

type Sections = Record<string, Record<string, string | number | boolean>>

/** `httpImage` is a URL from which images may be imported; without `log` Tempest writes only errors down. With `enforceScope` Keystone's plugin
 * runs its personas: readers, members and admins of system, domains and projects. */
export async function makeWorkspace(dir: string, cloud: Cloud, { httpImage, log = false, enforceScope = false }: { httpImage?: string; log?: boolean; enforceScope?: boolean } = {}): Promise<void> {
  for (const folder of ['etc', 'logs', 'lock']) await mkdir(join(dir, folder), { recursive: true })
  const admin = await login(cloud)
  const has = (service: string): boolean => cloud.controls.has(service)
  const image = await makeImage(admin, 'tempest-image')
  const alt = await makeImage(admin, 'tempest-image-alt')
  const flavors = has('nova') ? await Promise.all([makeFlavor(admin, 'tempest.nano', 128), makeFlavor(admin, 'tempest.micro', 192)]) : ['', '']
  const networks = (has('neutron') ? (await admin('GET', '/networking/v2.0/networks?name=public')).networks : [{ id: '' }]) as { id: string }[]
  const extensions = has('neutron') ? ((await admin('GET', '/networking/v2.0/extensions')).extensions as { alias: string }[]).map((one) => one.alias).sort() : []
  const { admin: who, region } = cloud.credentials
  const identity = `${cloud.url}/identity/v3`
  const volume = has('cinder')
  const sections: Sections = {
    DEFAULT: { log_dir: join(dir, 'logs'), log_file: 'tempest.log', debug: log, ...(log ? {} : { default_log_levels: 'tempest=ERROR,urllib3=ERROR,paramiko=ERROR' }) },
    oslo_concurrency: { lock_path: join(dir, 'lock') },
    auth: {
      use_dynamic_credentials: true,
      tempest_roles: 'member',
      admin_username: who.username,
      admin_password: who.password.reveal(),
      // Users and projects are made by an admin of the system where no other may.
      ...(enforceScope ? { admin_system: 'all', admin_project_name: '' } : { admin_project_name: who.project_name }),
      admin_domain_name: 'Default',
      admin_user_domain_name: 'Default',
      ...(enforceScope ? {} : { admin_project_domain_name: 'Default' }),
      default_credentials_domain_name: 'Default',
      create_isolated_networks: has('neutron'),
    },
    identity: { uri_v3: identity, uri: identity, auth_version: 'v3', region, v3_endpoint_type: 'publicURL', default_domain_id: 'default', admin_role: 'admin', user_lockout_failure_attempts: 3, user_lockout_duration: 1, user_unique_last_password_count: 2 },
    'identity-feature-enabled': { api_v2: false, api_v2_admin: false, api_v3: true, trust: true, project_tags: true, application_credentials: true, access_rules: true, security_compliance: true, enforce_scope: enforceScope, federation: true, external_idp: false },
    fed_scenario: { protocol_id: 'mapped', enable_k2k_groups_mapping: true },
    service_available: { nova: has('nova'), glance: true, neutron: has('neutron'), cinder: volume, swift: has('swift'), horizon: false },
    image: { region, disk_formats: 'raw', container_formats: 'bare,ovf,ova', image_caching_enabled: true, ...(httpImage ? { http_image: httpImage } : {}), build_timeout: 60, build_interval: 1 },
    'image-feature-enabled': { api_v2: true, api_v1: false, import_image: true, os_glance_reserved: true },
    compute: { region, image_ref: image, image_ref_alt: alt, flavor_ref: flavors[0]!, flavor_ref_alt: flavors[1]!, build_timeout: 60, build_interval: 1, min_compute_nodes: 2, max_microversion: 'latest' },
    'compute-feature-enabled': {
      resize: true,
      cold_migration: true,
      live_migration: true,
      block_migration_for_live_migration: true,
      live_migrate_back_and_forth: true,
      volume_backed_live_migration: true,
      shelve_migrate: true,
      hostname_fqdn_sanitization: true,
      change_password: true,
      shelve: true,
      snapshot: true,
      suspend: true,
      pause: true,
      rescue: true,
      stable_rescue: true,
      console_output: true,
      vnc_console: true,
      config_drive: true,
      metadata_service: true,
      interface_attach: true,
      volume_multiattach: volume,
      attach_encrypted_volume: false,
      enable_instance_password: true,
      personality: true,
      xenapi_apis: false,
      nova_cert: false,
    },
    placement: { region, max_microversion: 'latest' },
    network: { region, public_network_id: networks[0]!.id, floating_network_name: 'public', build_timeout: 60, build_interval: 1, project_network_cidr: '10.100.0.0/16', project_network_mask_bits: 28 },
    'network-feature-enabled': { ipv6: true, ipv6_subnet_attributes: true, floating_ips: true, port_admin_state_change: true, port_security: true, api_extensions: extensions.join(',') },
    volume: { region, catalog_type: 'volumev3', build_timeout: 60, build_interval: 1, max_microversion: 'latest', backend_names: 'fake1,fake2', storage_protocol: 'fake', vendor_name: 'Ondol', manage_volume_ref: 'source-name,volume-%s' },
    'volume-feature-enabled': { multi_backend: true, backup: true, snapshot: true, clone: true, manage_volume: true, manage_snapshot: false, extend_attached_volume: true, consistency_group: false, volume_revert: true },
    'object-storage': { region, operator_role: 'member', reseller_admin_role: 'ResellerAdmin', catalog_type: 'object-store', container_sync_interval: 1, container_sync_timeout: 60 },
    'object-storage-feature-enabled': { discoverability: has('swift'), object_versioning: has('swift'), container_sync: false, discoverable_apis: has('swift') ? Object.keys(await admin('GET', '/info')).filter((name) => name !== 'swift').join(',') : '' },
    validation: { run_validation: false, ping_timeout: 2, ssh_timeout: 2 },
  }
  const text = Object.entries(sections).map(([name, values]) => `[${name}]\n${Object.entries(values).map(([key, value]) => `${key} = ${value === true ? 'True' : value === false ? 'False' : value}`).join('\n')}\n`).join('\n')
  await writeFile(join(dir, 'etc', 'tempest.conf'), text, { mode: 0o600 })
}

// Answers are JSON of many shapes.
// oxlint-disable-next-line no-explicit-any
type Admin = (method: string, path: string, body?: unknown) => Promise<any>

async function login(cloud: Cloud): Promise<Admin> {
  const { admin } = cloud.credentials
  const answer = await cloud.fetch('/identity/v3/auth/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: admin.username, domain: { name: 'Default' }, password: admin.password.reveal() } } },
        scope: { project: { name: admin.project_name, domain: { name: 'Default' } } },
      },
    }),
  })
  const token = answer.headers.get('x-subject-token')!
  return async (method, path, body) => {
    const raw = body instanceof Uint8Array
    const response = await cloud.fetch(path, {
      method,
      headers: { 'x-auth-token': token, ...(body === undefined ? {} : { 'content-type': raw ? 'application/octet-stream' : 'application/json' }) },
      ...(body === undefined ? {} : { body: (raw ? body : JSON.stringify(body)) as string }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 300)}`)
    return text === '' ? undefined : JSON.parse(text)
  }
}

async function makeImage(admin: Admin, name: string): Promise<string> {
  const { id } = await admin('POST', '/image/v2/images', { name, disk_format: 'raw', container_format: 'bare', visibility: 'public' })
  await admin('PUT', `/image/v2/images/${id}/file`, new Uint8Array(1 << 20))
  return id as string
}

async function makeFlavor(admin: Admin, name: string, ram: number): Promise<string> {
  const { flavor } = await admin('POST', '/compute/v2.1/flavors', { flavor: { name, ram, vcpus: 1, disk: 1 } })
  return flavor.id as string
}
