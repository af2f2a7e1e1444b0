/** Two hosts over VXLAN; a driver that starts again; and that nothing is left behind. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { run } from '#base/process/run.ts'
import type { LinuxbridgeDriver } from '../driver.ts'
import { emptyHostPlan, type HostPlan, type NetworkPlan, type PortPlan } from '../../plan.ts'
import { dhcp, id, leg, network, port, router, subnet } from '../../test-plans.ts'
import { cannot, eventually, type Guest, Lab } from './lab.ts'

describe('hosts that share networks', { skip: cannot }, () => {
  let lab: Lab
  let left: LinuxbridgeDriver
  let right: LinuxbridgeDriver
  let hosts: string[]
  const lan = network('lan', [subnet('10.3.0.0/24')])
  const twin = network('twin', [subnet('10.3.0.0/24')])
  const external = network('external', [subnet('172.31.0.0/24', { enable_dhcp: false })], { network_type: 'flat', physical_network: 'public', segmentation_id: null, mtu: 1500, external: true })
  const to = (ip: string, on: NetworkPlan = lan, ports: readonly PortPlan[] = []): NetworkPlan => ({ ...on, vteps: [{ ip }], fdb: ports.map(({ mac_address }) => ({ mac_address, ip })) })
  let onLeft: PortPlan
  let onRight: PortPlan
  let twinOnRight: PortPlan
  let a: Guest
  let b: Guest
  let c: Guest
  let leftPlan: HostPlan
  const state = async (name: string): Promise<string> => {
    const fabric = lab.inside(lab.fabric(name))
    return [await fabric.sh('nft', 'list', 'ruleset'), await fabric.sh('ip', 'link'), await fabric.sh('bridge', 'fdb'), await lab.inside(hosts[0]!).sh('ip', 'addr')].join('\n')
  }

  before(async () => {
    lab = await Lab.open('nlh')
    hosts = await lab.hosts(2)
    left = lab.driver('a', hosts[0]!, { local_ip: '10.99.0.1' })
    right = lab.driver('b', hosts[1]!, { local_ip: '10.99.0.2' })
    ;({ plan: onLeft, guest: a } = await lab.guestPort(port('left', lan, ['10.3.0.11'])))
    ;({ plan: onRight, guest: b } = await lab.guestPort(port('right', lan, ['10.3.0.12'])))
    ;({ plan: twinOnRight, guest: c } = await lab.guestPort(port('twin', twin, ['10.3.0.11'])))
    leftPlan = {
      networks: [to('10.99.0.2'), external],
      ports: [onLeft],
      address_sets: [{ id: id('set'), prefixes: ['10.0.0.0/8'] }],
      dhcp: [dhcp(lan, ['10.3.0.2'], [onLeft, onRight])],
      routers: [router('r', { interfaces: [leg('lan leg', lan, ['10.3.0.1'])], gateway: { ...leg('gateway', external, ['172.31.0.100']), enable_snat: true }, floating_ips: [{ floating_ip_address: '172.31.0.150', fixed_ip_address: '10.3.0.12' }] })],
    }
    // The networks inside of the plan are the same objects on a real host.
    leftPlan = { ...leftPlan, dhcp: leftPlan.dhcp.map((one) => ({ ...one, network: to('10.99.0.2') })), routers: leftPlan.routers.map((one) => ({ ...one, interfaces: one.interfaces.map((face) => ({ ...face, network: to('10.99.0.2') })) })) }
    const report = await left.ensure(leftPlan)
    for (const one of [...report.networks, ...report.ports, ...report.dhcp, ...report.routers]) assert.deepEqual([one.status, one.reason], ['ACTIVE', undefined], JSON.stringify(one))
    for (const [plan, on] of [[onRight, to('10.99.0.1')], [twinOnRight, to('10.99.0.1', twin)]] as const) {
      const wired = await right.ensurePort(plan, on)
      assert.deepEqual([wired.status, wired.reason], ['ACTIVE', undefined])
    }
    await lab.addresses(a, onLeft, lan)
    await lab.addresses(c, twinOnRight, twin)
  })
  after(async () => {
    await lab.close()
    assert.deepEqual(lab.left(), [])
  })

  it('reaches across: DHCP, ping, full frames, router and floating IP', async () => {
    await lab.dhcp(b)
    assert.match(await b.sh('ip', '-4', 'addr', 'show', 'eth0'), /inet 10\.3\.0\.12\/24/)
    assert.ok(await eventually(() => a.pings('10.3.0.12')))
    assert.ok(await a.tries('ping', '-n', '-c', '1', '-W', '2', '-M', 'do', '-s', '1422', '10.3.0.12'))
    // The kernel may take a second to call a fresh cable up.
    assert.ok(await eventually(() => b.pings('172.31.0.1')))
    assert.ok(await eventually(() => lab.inside(hosts[0]!).pings('172.31.0.150')))
  })

  it('keeps the VNIs apart', async () => {
    assert.equal(await c.pings('10.3.0.12'), false)
    assert.match(await b.sh('ip', 'neigh', 'show', '10.3.0.11'), new RegExp(onLeft.mac_address))
  })

  it('sends known MACs to their host only, and follows the list', async () => {
    await left.ensureNetwork(to('10.99.0.2', lan, [onRight]))
    const fdb = async (): Promise<string> => lab.inside(lab.fabric('a')).sh('bridge', 'fdb', 'show', 'dev', `vxlan-${lan.segmentation_id}`)
    assert.match(await fdb(), new RegExp(`${onRight.mac_address} dst 10\\.99\\.0\\.2`))
    assert.match(await fdb(), /00:00:00:00:00:00 dst 10\.99\.0\.2/)
    assert.ok(await eventually(() => a.pings('10.3.0.12')))
    await left.ensureNetwork({ ...lan })
    assert.doesNotMatch(await fdb(), / dst /)
    assert.equal(await a.pings('10.3.0.12'), false)
    await left.ensureNetwork(to('10.99.0.2'))
    assert.ok(await eventually(() => a.pings('10.3.0.12')))
  })

  it('starts again without a change and without a lost packet', async () => {
    let answers = 0
    const ping = lab.start(a, 'ping', '-n', '-i', '0.01', '-c', '300', '10.3.0.12')
    let summary = ''
    ping.stdout?.on('data', (chunk: Buffer) => {
      answers++
      summary = (summary + chunk.toString()).slice(-300)
    })
    assert.ok(await eventually(async () => answers > 5))
    const before = await state('a')
    await left.close()
    left = lab.driver('a', hosts[0]!, { local_ip: '10.99.0.1' })
    for (let i = 0; i < 3; i++) {
      const report = await left.ensure(leftPlan)
      for (const one of [...report.networks, ...report.ports, ...report.dhcp, ...report.routers]) assert.deepEqual([one.status, one.reason], ['ACTIVE', undefined], JSON.stringify(one))
    }
    assert.ok((await state('a')) === before, 'something changed')
    assert.ok(await eventually(async () => ping.exitCode !== null))
    assert.match(summary, /300 packets transmitted, 300 received, 0% packet loss/)
    assert.ok(await eventually(() => lab.inside(hosts[0]!).pings('172.31.0.150')))
  })

  it('puts right what somebody broke', async () => {
    const fabric = lab.inside(lab.fabric('a'))
    await fabric.sh('nft', 'flush', 'ruleset')
    await fabric.sh('ip', 'link', 'set', 'dev', (await left.ensurePort(onLeft, to('10.99.0.2'))).device!, 'nomaster')
    await lab.inside(`${lab.prefix}a-r-${id('router r')}`).sh('ip', 'addr', 'flush', 'dev', `qg-${leftPlan.routers[0]!.gateway!.port_id.slice(0, 11)}`)
    assert.equal(await a.pings('10.3.0.12'), false)
    const report = await left.ensure(leftPlan)
    assert.deepEqual(report.ports.map(({ status, reason }) => [status, reason]), [['ACTIVE', undefined]])
    assert.ok(await eventually(() => a.pings('10.3.0.12')))
    assert.ok(await eventually(() => lab.inside(hosts[0]!).pings('172.31.0.150')))
  })

  it('goes on where a killed process left a bare namespace, and makes a lost fabric anew', async () => {
    const netns = `${lab.prefix}a-r-${id('router r')}`
    await left.ensureNoRouter(id('router r'))
    await run('ip', ['netns', 'add', netns])
    await left.close()
    left = lab.driver('a', hosts[0]!, { local_ip: '10.99.0.1' })
    assert.equal((await left.ensure(leftPlan)).routers[0]?.status, 'ACTIVE')
    assert.match(await lab.inside(netns).sh('sysctl', 'net.ipv4.ip_forward'), /= 1/)
    await run('ip', ['netns', 'del', lab.fabric('a')])
    const report = await left.ensure(leftPlan)
    for (const one of [...report.networks, ...report.ports, ...report.dhcp, ...report.routers]) assert.deepEqual([one.status, one.reason], ['ACTIVE', undefined], JSON.stringify(one))
    await lab.addresses(a, onLeft, lan)
    assert.ok(await eventually(() => a.pings('10.3.0.12')))
    assert.ok(await eventually(() => lab.inside(hosts[0]!).pings('172.31.0.150')))
  })

  it('says of each object what cannot be, and wires the others', async () => {
    const vlan = network('vlan', [], { network_type: 'vlan', segmentation_id: 5 })
    const far = network('far', [], { network_type: 'flat', physical_network: 'nowhere', segmentation_id: null })
    const report = await left.ensure({ ...leftPlan, networks: [...leftPlan.networks, vlan, far], ports: [onLeft, port('on vlan', vlan, []), port('bad', lan, ['10.3.0.99'], { mac_address: 'nonsense' })] })
    assert.deepEqual(
      report.ports.map(({ status, reason }) => [status, reason]),
      [
        ['ACTIVE', undefined],
        ['DOWN', 'The linuxbridge driver does not wire networks of type vlan'],
        ['DOWN', "'nonsense' is not a MAC address"],
      ],
    )
    assert.match(report.networks[3]?.reason ?? '', /no physical network 'nowhere'/)
    assert.ok(await eventually(() => a.pings('10.3.0.12')))
  })

  it('takes away what is no longer in the plan, and nothing else', async () => {
    await lab.inside(lab.fabric('a')).sh('ip', 'link', 'add', 'mine', 'type', 'bridge')
    await left.ensure(emptyHostPlan)
    const links = await lab.inside(lab.fabric('a')).sh('ip', '-br', 'link')
    assert.deepEqual(
      links
        .trim()
        .split('\n')
        .map((line) => line.split(/[ @]/)[0]),
      ['lo', 'mine'],
    )
    const rules = await lab.inside(lab.fabric('a')).sh('nft', 'list', 'ruleset')
    assert.equal(/tap[0-9a-f]|brq|from_|zone_/.test(rules), false, rules)
    assert.deepEqual(
      lab.left().filter((netns) => /-[rd]-/.test(netns)),
      [],
    )
    assert.doesNotMatch(await lab.inside(hosts[0]!).sh('ip', '-br', 'link'), /nlha-/)
    for (const verb of [left.ensureNoPort(onLeft.id), left.ensureNoNetwork(lan.id), left.ensureNoRouter(id('router r')), left.ensureNoDhcp(lan.id)]) await verb
  })
})
