/** Two tenants with the same addresses on one host, each behind a router of its own; and what stateless DHCPv6 and advertisements give a guest. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import type { LinuxbridgeDriver } from '../driver.ts'
import type { MetadataSource } from '../../interface.ts'
import { type NetworkPlan, type PortPlan, type RouterPlan, emptyHostPlan } from '../../plan.ts'
import { allowEgress, dhcp, id, leg, network, port, router, subnet } from '../../test-plans.ts'
import { cannot, eventually, type Guest, hasTool, Lab } from './lab.ts'

interface Tenant {
  name: string
  lan: NetworkPlan
  router: RouterPlan
  plan: PortPlan
  guest: Guest
  floating: string
}

describe('tenants with the same addresses', { skip: cannot }, () => {
  let lab: Lab
  let driver: LinuxbridgeDriver
  let host: Guest
  const tenants: Tenant[] = []
  const external = network('tenants outside', [subnet('172.31.5.0/24', { enable_dhcp: false })], { network_type: 'flat', physical_network: 'public', segmentation_id: null, mtu: 1500, external: true })
  const web = { direction: 'ingress' as const, ethertype: 'IPv4' as const, protocol: 'tcp', port_range_min: 80, port_range_max: 80 }
  const six = network('stateless', [subnet('10.6.0.0/24'), subnet('2001:db8:6::/64', { ipv6_ra_mode: 'dhcpv6-stateless', ipv6_address_mode: 'dhcpv6-stateless', dns_nameservers: ['2001:db8::53'] })])
  let sixGuest: Guest

  before(async () => {
    lab = await Lab.open('nlt')
    const netns = await lab.namespace('host')
    host = lab.inside(netns)
    driver = lab.driver('a', netns)
    driver.onMetadata((source, _request, response) => response.end(JSON.stringify(source)))
    for (const [i, name] of ['red tenant', 'blue tenant'].entries()) {
      // The same CIDR, the same gateway, the same guest address and even the same MAC.
      const lan = network(name, [{ ...subnet('10.1.0.0/24'), id: id(`subnet of ${name}`) }])
      const floating = `172.31.5.15${i}`
      const { plan, guest } = await lab.guestPort({ ...port(`guest of ${name}`, lan, ['10.1.0.11']), mac_address: 'fa:16:3e:11:11:11', security_rules: [...allowEgress, { ...web, remote_set: id(`group of ${name}`) }, { ...web, remote_prefixes: ['172.31.5.0/24'] }] })
      tenants.push({
        name, lan, plan, guest, floating,
        router: router(name, { interfaces: [leg(`leg of ${name}`, lan, ['10.1.0.1'])], gateway: { ...leg(`gateway of ${name}`, external, [`172.31.5.10${i}`]), enable_snat: true }, floating_ips: [{ floating_ip_address: floating, fixed_ip_address: '10.1.0.11' }] }),
      })
    }
    const { plan: sixPort, guest } = await lab.guestPort(port('stateless guest', six, ['10.6.0.11']))
    sixGuest = guest
    const report = await driver.ensure({
      ...emptyHostPlan,
      networks: [...tenants.map((one) => one.lan), six, external],
      ports: [...tenants.map((one) => one.plan), sixPort],
      address_sets: tenants.map((one) => ({ id: id(`group of ${one.name}`), prefixes: ['10.1.0.11'] })),
      dhcp: [...tenants.map((one) => dhcp(one.lan, ['10.1.0.2'], [one.plan])), dhcp(six, ['10.6.0.2', '2001:db8:6::2'], [sixPort])],
      routers: [...tenants.map((one) => one.router), router('stateless', { interfaces: [leg('stateless leg', six, ['10.6.0.1', '2001:db8:6::1'])] })],
    })
    for (const one of [...report.networks, ...report.ports, ...report.dhcp, ...report.routers]) assert.deepEqual([one.status, one.reason], ['ACTIVE', undefined], JSON.stringify(one))
    for (const { name, guest: own } of tenants) {
      await lab.dhcp(own)
      await mkdir(`${lab.directory}/${name}`)
      await writeFile(`${lab.directory}/${name}/who`, name)
      lab.start(own, 'busybox', 'httpd', '-f', '-p', '80', '-h', `${lab.directory}/${name}`)
    }
  })
  after(async () => {
    await lab.close()
    assert.deepEqual(lab.left(), [])
  })

  const read = (from: Guest, address: string): Promise<string> => from.sh('curl', '-s', '-m', '3', `http://${address}/who`).catch(() => 'nobody')

  it('gives both the same address, and leads to each by its own floating IP', async () => {
    for (const { guest } of tenants) assert.match(await guest.sh('ip', '-4', 'addr', 'show', 'eth0'), /inet 10\.1\.0\.11\/24/)
    for (const { name, floating } of tenants) {
      assert.ok(await eventually(async () => (await read(host, floating)) === name), `${floating} leads to ${name}`)
    }
  })

  it('keeps connections apart that look the same', async () => {
    const [red, blue] = tenants as [Tenant, Tenant]
    await writeFile(`${lab.directory}/who`, 'outside')
    lab.start(host, 'busybox', 'httpd', '-f', '-p', '8080', '-h', lab.directory)
    // One source port for both: address, port and peer are equal to the bit.
    const ask = (tenant: Tenant, port = '40000'): Promise<string> => tenant.guest.sh('curl', '-s', '-m', '3', '--local-port', port, 'http://172.31.5.1:8080/who').catch((thrown: unknown) => String(thrown))
    // From a range of others, for a port that was just used is not free again at once.
    assert.ok(await eventually(async () => (await ask(red, '41000-41999')) === 'outside'))
    assert.deepEqual(await Promise.all([ask(red), ask(blue)]), ['outside', 'outside'])
    const seen = await Promise.all(tenants.map((one) => lab.inside(`${lab.prefix}a-r-${one.router.id}`).sh('conntrack', '-L', '-p', 'tcp', '--orig-port-src', '40000')))
    for (const [i, text] of seen.entries()) assert.match(text, new RegExp(`src=10\\.1\\.0\\.11 dst=172\\.31\\.5\\.1 .*dst=${tenants[i]!.floating.replaceAll('.', '\\.')} `))
  })

  it('A17: knows who asks for metadata though both have one address', async () => {
    for (const { guest, lan } of tenants) {
      const said = JSON.parse(await guest.sh('curl', '-s', '-m', '5', 'http://169.254.169.254/')) as MetadataSource
      assert.deepEqual(said, { network_id: lan.id, remote_address: '10.1.0.11' })
    }
  })

  it('takes one away without a word to the other', async () => {
    const [red, blue] = tenants as [Tenant, Tenant]
    await driver.ensureNoPort(red.plan.id)
    await driver.ensureNoRouter(red.router.id)
    assert.equal(await read(host, red.floating), 'nobody')
    assert.equal(await read(host, blue.floating), blue.name)
    await driver.ensureAddressSets([{ id: id(`group of ${red.name}`), prefixes: [] }])
    assert.equal(await read(host, blue.floating), blue.name)
  })

  it('gives a guest its prefix by advertisement and the rest by stateless DHCPv6', { skip: ['radvd', 'dhclient'].every(hasTool) ? false : 'radvd or dhclient is not installed' }, async () => {
    await sixGuest.sh('ip', 'link', 'set', 'eth0', 'up')
    assert.ok(await eventually(async () => (await sixGuest.sh('ip', '-6', 'addr', 'show', 'eth0', 'scope', 'global', '-tentative')).includes('2001:db8:6:')), 'an address of the advertised prefix')
    const script = `${lab.directory}/said.sh`
    await writeFile(script, `#!/bin/sh\n[ -n "$new_dhcp6_name_servers" ] && echo "$new_dhcp6_name_servers" > ${lab.directory}/said\nexit 0\n`, { mode: 0o755 })
    lab.start(sixGuest, 'dhclient', '-6', '-S', '-1', '-d', '-sf', script, '-lf', `${lab.directory}/lease`, '--no-pid', 'eth0')
    const said = (): Promise<string> => sixGuest.sh('cat', `${lab.directory}/said`).catch(() => '')
    assert.ok(await eventually(async () => (await said()).includes('2001:db8::53')), `name servers: ${await said()}`)
    assert.doesNotMatch(await sixGuest.sh('cat', `${lab.directory}/lease`).catch(() => ''), /iaaddr/, 'no address by DHCP')
  })
})
