/** A whole small cloud's network on one host: DHCP, a router, floating IPs, IPv6 and metadata, with packets. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import type { LinuxbridgeDriver } from '../driver.ts'
import type { MetadataSource } from '../../interface.ts'
import type { HostPlan, PortPlan, RouterPlan } from '../../plan.ts'
import { allowAll, allowEgress, dhcp, leg, network, port, router, subnet } from '../../test-plans.ts'
import { cannot, eventually, type Guest, hasTool, Lab } from './lab.ts'

describe('routers and DHCP in namespaces', { skip: cannot }, () => {
  let lab: Lab
  let driver: LinuxbridgeDriver
  let host: Guest
  let outside: Guest
  const metadata: { source: MetadataSource; url: string | undefined }[] = []
  const red = network('red', [
    subnet('10.1.0.0/24', { dns_nameservers: ['192.0.2.53'], host_routes: [{ destination: '10.77.0.0/16', nexthop: '10.1.0.9' }] }),
    subnet('2001:db8:a::/64', { ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' }),
  ])
  const blue = network('blue', [subnet('10.2.0.0/24'), subnet('2001:db8:b::/64', { ipv6_ra_mode: 'dhcpv6-stateful', ipv6_address_mode: 'dhcpv6-stateful', dns_nameservers: ['2001:db8::53'] })])
  const external = network('external', [subnet('172.31.0.0/24', { enable_dhcp: false })], { network_type: 'flat', physical_network: 'public', segmentation_id: null, mtu: 1500, external: true })
  const r: RouterPlan = router('r', {
    interfaces: [leg('red leg', red, ['10.1.0.1', '2001:db8:a::1']), leg('blue leg', blue, ['10.2.0.1', '2001:db8:b::1'])],
    gateway: { ...leg('gateway', external, ['172.31.0.100']), enable_snat: true },
  })
  let redPort: PortPlan
  let bluePort: PortPlan
  let redGuest: Guest
  let blueGuest: Guest
  let plan: HostPlan

  before(async () => {
    lab = await Lab.open('nlr')
    const netns = await lab.namespace('host')
    host = lab.inside(netns)
    // Something beyond the host, which the host masquerades to.
    outside = lab.inside(await lab.namespace('world'))
    await host.sh('ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside.netns)
    await host.sh('ip', 'addr', 'add', '198.51.100.1/24', 'dev', 'up0')
    await host.sh('ip', 'link', 'set', 'up0', 'up')
    await outside.sh('ip', 'addr', 'add', '198.51.100.2/24', 'dev', 'eth0')
    await outside.sh('ip', 'link', 'set', 'eth0', 'up')
    driver = lab.driver('a', netns, { physical_networks: { public: { kind: 'host', masquerade: true } }, dns_domain: 'example.test' })
    driver.onMetadata((source, request, response) => {
      metadata.push({ source, url: request.url })
      response.end(JSON.stringify(source))
    })
    // The SLAAC address of the port's MAC, as the API computes it.
    ;({ plan: redPort, guest: redGuest } = await lab.guestPort(port('red one', red, ['10.1.0.11', slaac('red one')])))
    ;({ plan: bluePort, guest: blueGuest } = await lab.guestPort(port('blue one', blue, ['10.2.0.12', '2001:db8:b::12'])))
    const redDhcp = dhcp(red, ['10.1.0.2'], [redPort])
    plan = {
      networks: [red, blue, external],
      ports: [redPort, bluePort],
      address_sets: [],
      dhcp: [{ ...redDhcp, reservations: redDhcp.reservations.map((one) => ({ ...one, hostname: 'rose', extra_dhcp_opts: [{ opt_name: 'bootfile-name', opt_value: 'pxe,0', ip_version: 4 }] })) }, dhcp(blue, ['10.2.0.2', '2001:db8:b::2'], [bluePort])],
      routers: [r],
    }
    const report = await driver.ensure(plan)
    for (const one of [...report.networks, ...report.ports, ...report.dhcp, ...report.routers]) assert.deepEqual([one.status, one.reason], ['ACTIVE', undefined], JSON.stringify(one))
  })
  after(async () => {
    await lab.close()
    assert.deepEqual(lab.left(), [])
  })

  function slaac(name: string): string {
    const [a, b, c, d, e, f] = port(name, red, []).mac_address.split(':').map((byte) => Number.parseInt(byte, 16)) as [number, number, number, number, number, number]
    const word = (high: number, low: number): string => ((high << 8) | low).toString(16)
    return `2001:db8:a:0:${word(a ^ 2, b)}:${word(c, 0xff)}:${word(0xfe, d)}:${word(e, f)}`
  }

  it('gives each guest its own address, its routes and options', async () => {
    const answer = await lab.dhcp(redGuest, '-O', 'bootfile', '-x', 'hostname:guest')
    assert.match(await redGuest.sh('ip', '-4', 'addr', 'show', 'eth0'), /inet 10\.1\.0\.11\/24/)
    assert.match(answer, /dns='192\.0\.2\.53'/)
    assert.match(answer, /bootfile='pxe,0'/)
    assert.match(answer, /hostname='rose'/)
    assert.match(answer, /mtu='1450'/)
    const routes = await redGuest.sh('ip', 'route')
    assert.match(routes, /default via 10\.1\.0\.1/)
    assert.match(routes, /169\.254\.169\.254 via 10\.1\.0\.2/)
    assert.match(routes, /10\.77\.0\.0\/16 via 10\.1\.0\.9/)
    await lab.dhcp(blueGuest)
    assert.match(await blueGuest.sh('ip', '-4', 'addr', 'show', 'eth0'), /inet 10\.2\.0\.12\/24/)
  })

  it('goes on answering when others come, be it with options of their own', async () => {
    for (const [guest, now, network, address] of [[redGuest, plan.dhcp[0]!, red, '10.1.0.21'], [blueGuest, plan.dhcp[1]!, blue, '10.2.0.22']] as const) {
      const [come] = dhcp(network, [], [port(`comes to ${network.id}`, network, [address])]).reservations
      assert.equal((await driver.ensureDhcp({ ...now, reservations: [...now.reservations, come!] })).status, 'ACTIVE')
      await lab.dhcp(guest)
      assert.equal((await driver.ensureDhcp(now)).status, 'ACTIVE')
      await lab.dhcp(guest)
    }
  })

  it('knows names of guests', async () => {
    assert.match(await redGuest.sh('busybox', 'nslookup', 'rose.example.test', '10.1.0.2'), /10\.1\.0\.11/)
  })

  it('routes between subnets', async () => {
    assert.ok(await redGuest.pings('10.2.0.12'))
    assert.ok(await blueGuest.pings('10.1.0.11'))
  })

  it('takes guests outside under the address of the router', async () => {
    assert.ok(await redGuest.pings('172.31.0.1'), 'the host')
    assert.ok(await redGuest.pings('198.51.100.2'), 'beyond the host')
    const fabric = lab.inside(`${lab.prefix}a-r-${r.id}`)
    assert.match(await fabric.sh('conntrack', '-L', '-p', 'icmp'), /src=10\.1\.0\.11 dst=172\.31\.0\.1 .*dst=172\.31\.0\.100/)
    assert.equal(await host.pings('10.1.0.11'), false, 'nobody outside knows the way in')
  })

  it('answers metadata by the DHCP port and by the router, and knows who asks', async () => {
    const ask = async (guest: Guest, ...more: string[]): Promise<MetadataSource> => JSON.parse(await guest.sh('curl', '-s', '-m', '5', ...more, 'http://169.254.169.254/openstack')) as MetadataSource
    assert.deepEqual(await ask(redGuest), { network_id: red.id, remote_address: '10.1.0.11' })
    assert.deepEqual(await ask(blueGuest), { network_id: blue.id, remote_address: '10.2.0.12' })
    await redGuest.sh('ip', 'route', 'del', '169.254.169.254')
    const forged = ['-H', 'X-Forwarded-For: 10.2.0.12', '-H', `X-Neutron-Network-ID: ${blue.id}`, '-H', 'X-Instance-ID: 1']
    assert.deepEqual(await ask(redGuest, ...forged), { router_id: r.id, remote_address: '10.1.0.11' })
    assert.equal(metadata.length, 3)
    assert.equal(await redGuest.tries('curl', '-s', '-m', '2', 'http://10.1.0.1:9697/'), false, 'the listener is not for everybody')
    assert.equal(await host.tries('curl', '-s', '-m', '2', 'http://172.31.0.100:9697/'), false)
  })

  it('lets a floating IP in and out, and ends its connections when it leaves', async () => {
    const floating = { floating_ip_address: '172.31.0.150', fixed_ip_address: '10.1.0.11' }
    assert.equal(await host.pings('172.31.0.150'), false)
    const report = await driver.ensureRouter({ ...r, floating_ips: [floating] })
    assert.deepEqual([report.status, report.reason], ['ACTIVE', undefined])
    assert.ok(await eventually(() => host.pings('172.31.0.150')))
    assert.ok(await redGuest.pings('198.51.100.2'))
    assert.match(await lab.inside(`${lab.prefix}a-r-${r.id}`).sh('conntrack', '-L', '-p', 'icmp'), /src=10\.1\.0\.11 dst=198\.51\.100\.2 .*dst=172\.31\.0\.150/, 'it leaves under its floating IP')
    assert.ok(await blueGuest.pings('172.31.0.150'), 'from inside too')
    assert.ok(await redGuest.pings('172.31.0.150'), 'its own')
    let answers = 0
    const ping = lab.start(host, 'ping', '-n', '-i', '0.1', '172.31.0.150')
    ping.stdout?.on('data', (said: Buffer) => (answers += said.includes('bytes from') ? 1 : 0))
    assert.ok(await eventually(async () => answers > 2))
    await driver.ensureRouter(r)
    const then = answers
    assert.equal(await host.pings('172.31.0.150'), false)
    assert.ok(answers <= then + 1, `the running ping went on: ${answers - then}`)
  })

  it('forwards a port of a floating IP', async () => {
    lab.start(blueGuest, 'busybox', 'httpd', '-f', '-p', '8080', '-h', lab.directory)
    await driver.ensureRouter({ ...r, port_forwardings: [{ protocol: 'tcp', floating_ip_address: '172.31.0.160', external_port: 2222, internal_ip_address: '10.2.0.12', internal_port: 8080 }] })
    assert.ok(await eventually(() => host.tries('busybox', 'nc', '-w', '1', '172.31.0.160', '2222')))
    assert.equal(await host.tries('busybox', 'nc', '-w', '1', '172.31.0.160', '8080'), false)
    await driver.ensureRouter(r)
  })

  it('follows extra routes and says which cannot be', async () => {
    await redGuest.sh('ip', 'addr', 'add', '10.50.0.1/32', 'dev', 'lo')
    await driver.ensurePort({ ...redPort, allowed_address_pairs: [{ ip_address: '10.50.0.1' }] }, red)
    const report = await driver.ensureRouter({ ...r, routes: [{ destination: '10.50.0.0/24', nexthop: '10.1.0.11' }, { destination: '10.60.0.0/24', nexthop: '192.168.99.1' }] })
    assert.equal(report.status, 'ACTIVE')
    assert.match(report.reason ?? '', /10\.60\.0\.0\/24/)
    assert.ok(await blueGuest.pings('10.50.0.1'))
    assert.equal((await driver.ensureRouter(r)).reason, undefined)
    assert.equal(await blueGuest.pings('10.50.0.1'), false)
    await driver.ensurePort(redPort, red)
  })

  it('translates nothing without SNAT', async () => {
    await driver.ensureRouter({ ...r, gateway: { ...r.gateway!, enable_snat: false } })
    assert.equal(await blueGuest.pings('172.31.0.1'), false, 'the host does not know the way back')
    await host.sh('ip', 'route', 'add', '10.2.0.0/24', 'via', '172.31.0.100')
    assert.ok(await blueGuest.pings('172.31.0.1'))
    await host.sh('ip', 'route', 'del', '10.2.0.0/24')
    await driver.ensureRouter(r)
    assert.ok(await blueGuest.pings('172.31.0.1'))
  })

  it('lets guests make their IPv6 address', { skip: hasTool('radvd') ? false : 'radvd is not installed' }, async () => {
    assert.ok(await eventually(async () => (await redGuest.sh('ip', '-6', 'addr', 'show', 'eth0', 'scope', 'global')).includes(slaac('red one'))), 'SLAAC')
    assert.ok(await eventually(() => redGuest.pings('2001:db8:a::1')))
  })

  it('gives an IPv6 address by DHCP', { skip: hasTool('dhclient') ? false : 'dhclient is not installed' }, async () => {
    assert.ok(await eventually(async () => !(await blueGuest.sh('ip', '-6', 'addr', 'show', 'eth0')).includes('tentative')))
    const script = ['-sf', '/bin/true', '-lf', `${lab.directory}/lease6`, '-pf', `${lab.directory}/pid6`]
    lab.start(blueGuest, 'dhclient', '-6', '-1', '-d', ...script, '--no-pid', 'eth0')
    const leased = async (): Promise<string> => blueGuest.sh('cat', `${lab.directory}/lease6`).catch(() => '')
    assert.ok(await eventually(async () => (await leased()).includes('iaaddr')))
    const lease = await leased()
    assert.match(lease, /iaaddr 2001:db8:b::12 /)
    assert.match(lease, /dhcp6\.name-servers 2001:db8::53/)
    await blueGuest.sh('ip', 'addr', 'replace', '2001:db8:b::12/128', 'dev', 'eth0', 'nodad')
    assert.ok(await eventually(() => blueGuest.pings(slaac('red one'))), 'and the router leads from one to the other')
  })

  it('gives the address of a port that is gone to the next one', async () => {
    const { plan: next, guest } = await lab.guestPort(port('red next', red, ['10.1.0.11', slaac('red next')]))
    await driver.ensureNoPort(redPort.id)
    assert.equal((await driver.ensureDhcp(dhcp(red, ['10.1.0.2'], []))).status, 'ACTIVE')
    await driver.ensurePort(next, red)
    assert.equal((await driver.ensureDhcp(dhcp(red, ['10.1.0.2'], [next]))).status, 'ACTIVE')
    await lab.dhcp(guest)
    assert.match(await guest.sh('ip', '-4', 'addr', 'show', 'eth0'), /inet 10\.1\.0\.11\/24/)
    await driver.ensureNoPort(next.id)
  })

  it('tells dnsmasq of another port without a new process', async () => {
    lab.spawned.length = 0
    assert.equal((await driver.ensureDhcp(dhcp(blue, ['10.2.0.2', '2001:db8:b::2'], [bluePort, port('late', blue, ['10.2.0.99'])]))).status, 'ACTIVE')
    assert.deepEqual(lab.spawned, [])
  })

  it('A20: refuses a DHCP option that says more than one thing', async () => {
    const bad = dhcp(blue, ['10.2.0.2'], [bluePort])
    const report = await driver.ensureDhcp({ ...bad, reservations: bad.reservations.map((one) => ({ ...one, extra_dhcp_opts: [{ opt_name: 'tftp-server', opt_value: '1.2.3.4\ntag:x,option:router,6.6.6.6', ip_version: 4 }] })) })
    assert.equal(report.status, 'DOWN')
    assert.match(report.reason ?? '', /printable/)
  })

  it('guards against advertisements of guests', { skip: hasTool('radvd') ? false : 'radvd is not installed' }, async () => {
    const { plan: listener, guest } = await lab.guestPort(port('listener', blue, ['10.2.0.33']))
    await driver.ensurePort(listener, blue)
    await guest.sh('ip', 'link', 'set', 'eth0', 'up')
    await writeFile(`${lab.directory}/rogue.conf`, 'interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; prefix 2001:db8:bad::/64 { }; };\n')
    await blueGuest.sh('sysctl', '-q', '-w', 'net.ipv6.conf.all.forwarding=1')
    lab.start(blueGuest, 'radvd', '-n', '-C', `${lab.directory}/rogue.conf`, '-p', `${lab.directory}/rogue.pid`, '-u', 'root', '-m', 'stderr')
    const advertised = async (): Promise<boolean> => (await guest.sh('ip', '-6', 'addr', 'show', 'eth0')).includes('2001:db8:bad:')
    assert.equal(await eventually(advertised), false)
    await driver.ensurePort({ ...bluePort, port_security_enabled: false }, blue)
    assert.ok(await eventually(advertised), 'without port security it is heard, so the test can see')
    await driver.ensurePort(bluePort, blue)
  })

  it('keeps a router that is administratively down away', async () => {
    const report = await driver.ensureRouter({ ...r, admin_state_up: false })
    assert.equal(report.status, 'DOWN')
    assert.equal(await blueGuest.pings('10.2.0.1'), false)
    assert.equal((await driver.ensureRouter(r)).status, 'ACTIVE')
    assert.ok(await eventually(() => blueGuest.pings('172.31.0.1')))
    await driver.ensurePort({ ...bluePort, security_rules: allowEgress }, blue)
    assert.ok(await blueGuest.pings('172.31.0.1'))
    await driver.ensurePort({ ...bluePort, security_rules: allowAll }, blue)
  })
})
