/** What quality of service, conntrack helpers and NDP proxies do to packets. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import type { LinuxbridgeDriver } from '../driver.ts'
import { names } from '../names.ts'
import type { PortPlan, QosPlan, RouterPlan } from '../../plan.ts'
import { leg, network, port, router, subnet } from '../../test-plans.ts'
import { cannot, eventually, type Guest, Lab } from './lab.ts'

describe('limits, marks and helpers on packets', { skip: cannot }, () => {
  let lab: Lab
  let driver: LinuxbridgeDriver
  let host: Guest
  const lan = network('limited', [subnet('10.3.0.0/24'), subnet('2001:db8:3::/64')])
  const external = network('limits outside', [subnet('172.31.3.0/24', { enable_dhcp: false }), subnet('2001:db8:f::/64', { enable_dhcp: false })], { network_type: 'flat', physical_network: 'public', segmentation_id: null, mtu: 1500, external: true })
  const r: RouterPlan = router('limits', {
    interfaces: [leg('limits leg', lan, ['10.3.0.1', '2001:db8:3::1'])],
    gateway: { ...leg('limits gateway', external, ['172.31.3.100', '2001:db8:f::100']), enable_snat: true },
    floating_ips: [{ floating_ip_address: '172.31.3.150', fixed_ip_address: '10.3.0.11' }],
  })
  let one: PortPlan
  let two: PortPlan
  let a: Guest
  let b: Guest

  const limited = async (qos: QosPlan | undefined): Promise<void> => {
    const report = await driver.ensurePort({ ...one, ...(qos ? { qos } : {}) }, lan)
    assert.deepEqual([report.status, report.reason], ['ACTIVE', undefined])
  }
  const routed = async (more: Partial<RouterPlan>): Promise<string | undefined> => {
    const report = await driver.ensureRouter({ ...r, ...more })
    assert.equal(report.status, 'ACTIVE')
    return report.reason
  }

  before(async () => {
    lab = await Lab.open('nlq')
    const netns = await lab.namespace('host')
    host = lab.inside(netns)
    driver = lab.driver('a', netns)
    ;({ plan: one, guest: a } = await lab.guestPort(port('limited one', lan, ['10.3.0.11', '2001:db8:3::11'])))
    ;({ plan: two, guest: b } = await lab.guestPort(port('limited two', lan, ['10.3.0.12'])))
    const report = await driver.ensure({ networks: [lan, external], ports: [one, two], address_sets: [], dhcp: [], routers: [r] })
    for (const each of [...report.ports, ...report.routers]) assert.deepEqual([each.status, each.reason], ['ACTIVE', undefined])
    await lab.addresses(a, one, lan)
    await lab.addresses(b, two, lan)
    assert.ok(await eventually(() => a.pings('10.3.0.12')))
  })
  after(async () => {
    await lab.close()
    assert.deepEqual(lab.left(), [])
  })

  it('marks what leaves a guest, and nothing else', async () => {
    await b.sh('nft', 'add table ip seen; add counter ip seen marked; add counter ip seen plain; add chain ip seen input { type filter hook input priority 0; }; add rule ip seen input ip dscp 26 counter name marked; add rule ip seen input ip dscp 0 counter name plain')
    const seen = async (): Promise<{ marked: number; plain: number }> => {
      const counters = (JSON.parse(await b.sh('nft', '-j', 'reset', 'counters')) as { nftables: { counter?: { name: string; packets: number } }[] }).nftables
      const of = (name: string): number => counters.find((each) => each.counter?.name === name)!.counter!.packets
      return { marked: of('marked'), plain: of('plain') }
    }
    await limited({ dscp_mark: 26 })
    await seen()
    assert.ok(await a.pings('10.3.0.12'))
    assert.deepEqual(await seen(), { marked: 1, plain: 0 })
    assert.ok(await b.pings('10.3.0.11'), 'the answer is marked too')
    assert.deepEqual(await seen(), { marked: 1, plain: 0 })
    await limited(undefined)
    assert.ok(await a.pings('10.3.0.12'))
    assert.deepEqual(await seen(), { marked: 0, plain: 1 })
  })

  it('drops packets beyond the rate, in the limited direction', async () => {
    for (const guest of [a, b]) await guest.sh('nft', 'add table ip rate; add counter ip rate volley; add chain ip rate input { type filter hook input priority 0; }; add rule ip rate input icmp type { echo-request, echo-reply } counter name volley')
    const countedBy = async (guest: Guest): Promise<number> => Number(/packets (\d+)/.exec(await guest.sh('nft', 'reset', 'counter', 'ip', 'rate', 'volley'))![1])
    /** Three hundred at once, without waiting for answers: how many came to the other guest, and how many answers came back. */
    const volley = async (): Promise<[number, number]> => {
      await Promise.all([countedBy(a), countedBy(b)])
      await a.sh('busybox', 'sh', '-c', 'ping -q -n -l 300 -c 300 -w 1 10.3.0.12 || true')
      return [await countedBy(b), await countedBy(a)]
    }
    const few = (count: number): boolean => count > 50 && count < 200
    const all = (count: number): boolean => count > 280
    // A tenth of a second passes at once unless the policy says more.
    for (const [qos, out, back] of [
      [undefined, all, all],
      [{ egress_kpps: 1 }, few, few],
      [{ ingress_kpps: 1 }, all, few],
      [{ egress_kpps: 1, egress_burst_kpps: 1 }, all, all],
      [undefined, all, all],
    ] as const) {
      await limited(qos)
      const [sent, answered] = await volley()
      assert.ok(out(sent) && back(answered), `${JSON.stringify(qos)}: ${sent} came, ${answered} answers of 300`)
    }
  })

  it('slows a floating IP down, both ways', async () => {
    await writeFile(`${lab.directory}/megabyte`, Buffer.alloc(1_000_000))
    lab.start(a, 'busybox', 'httpd', '-f', '-p', '80', '-h', lab.directory)
    lab.start(host, 'busybox', 'httpd', '-f', '-p', '80', '-h', lab.directory)
    const fetched = async (): Promise<number> => Number(await a.sh('curl', '-s', '-m', '20', '-o', '/dev/null', '-w', '%{time_total}', 'http://172.31.3.1/megabyte'))
    const seconds = async (...curl: string[]): Promise<number> => Number(await host.sh('curl', '-s', '-m', '20', '-o', '/dev/null', '-w', '%{time_total}', ...curl))
    assert.ok(await eventually(() => host.tries('curl', '-s', '-m', '2', '-o', '/dev/null', 'http://172.31.3.150/megabyte')))
    assert.ok((await seconds('http://172.31.3.150/megabyte')) < 0.5)
    assert.ok((await fetched()) < 0.5)
    await routed({ limits: [{ ip_address: '172.31.3.150', egress_kbps: 4000, egress_burst_kb: 1000 }] })
    // 8 Mbit, of which 4 pass at once.
    assert.ok((await seconds('http://172.31.3.150/megabyte')) > 0.7)
    await routed({ limits: [{ ip_address: '172.31.3.150', ingress_kbps: 4000, ingress_burst_kb: 1000 }] })
    assert.ok((await seconds('http://172.31.3.150/megabyte')) < 0.5, 'the other way is free')
    assert.ok((await fetched()) > 0.7)
    await routed({ limits: [{ ip_address: '172.31.3.100', egress_kbps: 4000, egress_burst_kb: 1000 }] })
    assert.ok((await seconds('http://172.31.3.150/megabyte')) < 0.5, "the gateway's own address is another")
    await routed({})
    assert.ok((await seconds('http://172.31.3.150/megabyte')) < 0.5)
  })

  it('follows TFTP through address translation with a conntrack helper only', async () => {
    await writeFile(`${lab.directory}/boot`, 'boot')
    lab.start(host, 'dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--enable-tftp', `--tftp-root=${lab.directory}`, '--pid-file=')
    const fetched = (from: Guest): Promise<boolean> => from.tries('timeout', '2', 'busybox', 'tftp', '-g', '-r', 'boot', '-l', `${lab.directory}/got`, '172.31.3.1')
    assert.ok(await eventually(() => fetched(host)), 'the server answers')
    // Under the router's address: the answer comes from another port, and belongs to nothing that is known.
    assert.equal(await fetched(b), false)
    assert.equal(await routed({ conntrack_helpers: [{ protocol: 'udp', port: 69, helper: 'tftp' }] }), undefined)
    assert.ok(await fetched(b))
    assert.match((await routed({ conntrack_helpers: [{ protocol: 'tcp', port: 6566, helper: 'sane' }, { protocol: 'udp', port: 69, helper: 'tftp' }] })) ?? 'all there', /sane over tcp|all there/)
    assert.ok(await fetched(b), 'one that the kernel lacks costs no other')
    await routed({})
    assert.equal(await fetched(b), false)
  })

  it('answers outside for the addresses that it proxies, and for no others', async () => {
    const outside = names(`${lab.prefix}a`).hostEnd('public')
    await host.sh('ip', '-6', 'route', 'replace', '2001:db8:3::/64', 'dev', outside)
    assert.equal(await host.pings('2001:db8:3::11'), false)
    await routed({ ndp_proxies: ['2001:db8:3::11'] })
    await host.sh('ip', '-6', 'neigh', 'flush', 'all')
    assert.ok(await eventually(() => host.pings('2001:db8:3::11'), 8_000))
    await routed({ ndp_proxies: ['2001:db8:3::99'] })
    await host.sh('ip', '-6', 'neigh', 'flush', 'all')
    assert.equal(await host.pings('2001:db8:3::11'), false)
    await routed({})
  })
})
