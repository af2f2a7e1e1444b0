/**
 * What every network driver keeps to, the fake first. A driver's own test gives a bench:
 *
 *     networkDriverConformance('fake', async () => ({ start: () => new FakeNetworkDriver(world(), host), close: async () => {} }))
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { canRoute, canServeDhcp, type NetworkDriver } from './interface.ts'
import { emptyHostPlan, type HostPlan } from './plan.ts'
import { allowEgress, dhcp, id, leg, network, port, router, subnet } from './test-plans.ts'

export interface Bench {
  /** A driver on the bench's one host; each call is a new process on the same host. */
  start(): NetworkDriver
  close(): Promise<void>
}

export function networkDriverConformance(name: string, open: () => Promise<Bench>, options: { skip?: string | false } = {}): void {
  describe(`the network driver ${name}`, { skip: options.skip ?? false }, () => {
    let bench: Bench
    let driver: NetworkDriver
    const lan = network('lan', [subnet('10.0.0.0/24')])
    const other = network('other', [subnet('10.0.0.0/24')])
    const one = port('one', lan, ['10.0.0.11'])
    const two = port('two', lan, ['10.0.0.12'])
    const set = { id: id('set'), prefixes: ['10.0.0.0/24', '10.0.0.5', '2001:db8::/32'] }
    const r = router('r', { interfaces: [leg('leg', lan, ['10.0.0.1'])] })
    const whole: HostPlan = { networks: [lan, other], ports: [one, two], address_sets: [set], dhcp: [], routers: [] }

    before(async () => {
      bench = await open()
      driver = bench.start()
    })
    after(() => bench.close())

    it('wires a port on a host that has nothing, and does it twice', async () => {
      const report = await driver.ensurePort(one, lan)
      assert.deepEqual([report.id, report.status, report.reason], [one.id, 'ACTIVE', undefined])
      assert.ok(report.device !== undefined && report.device.length <= 15)
      assert.ok(report.netns)
      assert.deepEqual(await driver.ensurePort(one, lan), report)
    })

    it('wires the whole host, twice, and again after a restart, with the same report', async () => {
      const first = await driver.ensure(whole)
      assert.deepEqual(
        [...first.networks, ...first.ports].map(({ id: which, status, reason }) => [which, status, reason]),
        [lan, other, one, two].map((object) => [object.id, 'ACTIVE', undefined]),
      )
      assert.deepEqual(await driver.ensure(async () => whole), first)
      await driver.close()
      driver = bench.start()
      assert.deepEqual(await driver.ensure(whole), first)
    })

    it('goes on with single ports after a restart', async () => {
      await driver.close()
      driver = bench.start()
      assert.equal((await driver.ensurePort(two, lan)).status, 'ACTIVE')
      await driver.ensureNoPort(two.id)
      assert.equal((await driver.ensurePort(two, lan)).status, 'ACTIVE')
    })

    it('wires many ports at once', async () => {
      const many = Array.from({ length: 8 }, (_, i) => port(`many ${i}`, other, [`10.0.0.${20 + i}`]))
      const reports = await Promise.all(many.map((plan) => driver.ensurePort(plan, other)))
      assert.deepEqual(
        reports.map(({ status }) => status),
        many.map(() => 'ACTIVE'),
      )
      await Promise.all(many.map((plan) => driver.ensureNoPort(plan.id)))
    })

    it('reports a port that is administratively down as DOWN', async () => {
      const report = await driver.ensurePort({ ...one, admin_state_up: false }, lan)
      assert.equal(report.status, 'DOWN')
      assert.match(report.reason ?? '', /administratively down/)
      assert.equal((await driver.ensurePort(one, lan)).status, 'ACTIVE')
    })

    it('reports what makes no sense as DOWN with a reason, alone', async () => {
      const rule = { ...allowEgress[0]!, direction: 'ingress' as const }
      const bad = [
        { ...port('bad mac', lan, ['10.0.0.40']), mac_address: 'fa:16' },
        { ...port('bad address', lan, []), fixed_ips: [{ subnet_id: lan.subnets[0]!.id, ip_address: '10.0.0.1; drop' }] },
        port('bad pair', lan, [], { allowed_address_pairs: [{ ip_address: '10.0.0.0/99' }] }),
        port('bad protocol', lan, [], { security_rules: [{ ...rule, protocol: 'tcp } accept' }] }),
        port('bad remote', lan, [], { security_rules: [{ ...rule, remote_prefixes: ['everybody'] }] }),
        port('no such set', lan, [], { security_rules: [{ ...rule, remote_set: id('no such set') }] }),
      ]
      const report = await driver.ensure({ ...whole, ports: [one, ...bad, two] })
      assert.deepEqual(
        report.ports.map(({ status }) => status),
        ['ACTIVE', ...bad.map(() => 'DOWN'), 'ACTIVE'],
      )
      for (const { status, reason } of report.ports) assert.equal(reason === undefined, status === 'ACTIVE')
      for (const plan of bad) assert.equal((await driver.ensurePort(plan, lan)).status, 'DOWN', plan.id)
      const elsewhere = await driver.ensurePort(port('elsewhere', other, []), lan)
      assert.equal(elsewhere.status, 'DOWN')
      const impossible = network('impossible', [], { mtu: 7 })
      assert.deepEqual((await driver.ensure({ ...whole, networks: [lan, other, impossible] })).networks.map(({ status }) => status), ['ACTIVE', 'ACTIVE', 'DOWN'])
    })

    it('changes the members of a set that ports name', async () => {
      const guarded = { ...two, security_rules: [{ ...allowEgress[0]!, direction: 'ingress' as const, remote_set: set.id }] }
      await driver.ensureAddressSets([set])
      assert.equal((await driver.ensurePort(guarded, lan)).status, 'ACTIVE')
      await driver.ensureAddressSets([{ ...set, prefixes: [] }])
      await driver.ensureAddressSets([set, { id: id('another set'), prefixes: ['0.0.0.0/0', '::/0'] }])
      assert.equal((await driver.ensurePort(two, lan)).status, 'ACTIVE')
    })

    it('takes away what is not there', async () => {
      await driver.ensureNoPort(id('port never seen'))
      await driver.ensureNoNetwork(id('network never seen'))
      await driver.ensureNoPort(two.id)
      await driver.ensureNoPort(two.id)
      await driver.ensureNoNetwork(other.id)
      await driver.ensureNoNetwork(other.id)
      assert.equal((await driver.ensurePort(two, lan)).status, 'ACTIVE')
    })

    it('routes, when it can', async (test) => {
      if (!canRoute(driver)) return test.skip('it cannot')
      const report = await driver.ensureRouter(r)
      assert.deepEqual([report.id, report.status, report.reason], [r.id, 'ACTIVE', undefined])
      assert.deepEqual(
        report.ports.map(({ id: which, status }) => [which, status]),
        [[r.interfaces[0]!.port_id, 'ACTIVE']],
      )
      assert.deepEqual(await driver.ensureRouter(r), report)
      const down = await driver.ensureRouter({ ...r, admin_state_up: false })
      assert.deepEqual([down.status, down.ports[0]?.status], ['DOWN', 'DOWN'])
      const bad = await driver.ensureRouter({ ...r, routes: [{ destination: 'everywhere', nexthop: '10.0.0.9' }] })
      assert.equal(bad.status, 'DOWN')
      assert.deepEqual(await driver.ensureRouter(r), report)
      await driver.ensureNoRouter(r.id)
      await driver.ensureNoRouter(r.id)
    })

    it('serves DHCP, when it can', async (test) => {
      if (!canServeDhcp(driver)) return test.skip('it cannot')
      const plan = dhcp(lan, ['10.0.0.2'], [one, two])
      assert.deepEqual(await driver.ensureDhcp(plan), { id: lan.id, status: 'ACTIVE' })
      assert.deepEqual(await driver.ensureDhcp(plan), { id: lan.id, status: 'ACTIVE' })
      for (const bad of [
        { hostname: 'two\nwords' },
        { extra_dhcp_opts: [{ opt_name: 'router', opt_value: '10.0.0.1\n6,6.6.6.6', ip_version: 4 as const }] },
        { extra_dhcp_opts: [{ opt_name: 'router,6', opt_value: '10.0.0.1', ip_version: 4 as const }] },
      ]) {
        const report = await driver.ensureDhcp({ ...plan, reservations: plan.reservations.map((reservation) => ({ ...reservation, ...bad })) })
        assert.equal(report.status, 'DOWN')
        assert.ok(report.reason)
      }
      assert.equal((await driver.ensureDhcp(plan)).status, 'ACTIVE')
      await driver.ensureNoDhcp(lan.id)
      await driver.ensureNoDhcp(lan.id)
    })

    it('takes all away', async () => {
      const report = await driver.ensure(emptyHostPlan)
      assert.deepEqual(report, { networks: [], ports: [], dhcp: [], routers: [] })
      assert.equal((await driver.ensurePort(one, lan)).status, 'ACTIVE')
      await driver.ensure(emptyHostPlan)
    })
  })
}
