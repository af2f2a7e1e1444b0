/** dnsmasq's and radvd's files and when they are started, told or left alone; no process is run. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'node:test'
import type { Run } from '#base/process/run.ts'
import { fakeDaemons } from './daemon.ts'
import { createDnsmasq, type DnsmasqConfig } from './dnsmasq.ts'
import { createRadvd } from './radvd.ts'

const root = await mkdtemp(join(tmpdir(), 'dnsmasq-test-'))
after(() => rm(root, { recursive: true }))

describe('dnsmasq', () => {
  const directory = join(root, 'network')
  const started: string[][] = []
  let daemons: ReturnType<typeof fakeDaemons>
  const run: Run = async (tool, args) => {
    started.push([tool, ...args])
    daemons.running.set(join(directory, 'pid'), join(directory, 'dnsmasq.conf'))
    return { code: 0, stdout: '', stderr: '' }
  }
  const host = (mac: string, address: string, tags: string[] = []): DnsmasqConfig['hosts'][number] => ({ mac, tags, name: 'one', address })
  const one = 'fa:16:3e:00:00:01'
  const two = 'fa:16:3e:00:00:02'
  const config: DnsmasqConfig = {
    netns: 'ns',
    device: 'ns-1',
    directory,
    ranges: [{ tag: 's', network: '10.0.0.0', mask: '255.255.255.0' }],
    hosts: [host(one, '10.0.0.5'), host(one, '2001:db8::5')],
    options: [{ tag: 's', option: 'option:mtu', value: '1450' }, { tag: 's', option: 'option:router', value: '' }],
    domain: 'example.test',
    names: [{ address: '10.0.0.5', names: ['one.example.test', 'one'] }],
    upstream: ['192.0.2.1'],
    lease_time: 600,
  }
  beforeEach(async () => {
    await rm(directory, { recursive: true, force: true })
    daemons = fakeDaemons()
    started.length = 0
  })

  it('starts once, is told of hosts, and is started anew for ranges', async () => {
    const dnsmasq = createDnsmasq(run, daemons)
    assert.equal(await dnsmasq.ensure(config), 'started')
    assert.deepEqual(started, [['nsenter', '--net=/run/netns/ns', '--', 'dnsmasq', `--conf-file=${directory}/dnsmasq.conf`]])
    assert.equal(await readFile(join(directory, 'hosts'), 'utf8'), `${one},one,10.0.0.5\n${one},one,[2001:db8::5]\n`)
    assert.equal(await readFile(join(directory, 'options'), 'utf8'), 'tag:s,option:mtu,1450\ntag:s,option:router\n')
    assert.match(await readFile(join(directory, 'dnsmasq.conf'), 'utf8'), /^dhcp-range=set:s,10\.0\.0\.0,static,255\.255\.255\.0,600s$/m)
    assert.equal(await dnsmasq.ensure(config), 'unchanged')
    assert.equal(await dnsmasq.ensure({ ...config, hosts: [host(two, '10.0.0.6')] }), 'reloaded')
    assert.deepEqual(daemons.reloads, [join(directory, 'pid')])
    assert.equal(await dnsmasq.ensure({ ...config, hosts: [host(two, '10.0.0.6', ['p'])] }), 'started', 'a host with a tag')
    assert.equal(await readFile(join(directory, 'hosts'), 'utf8'), `${two},set:p,one,10.0.0.6\n`)
    assert.equal(await dnsmasq.ensure({ ...config, hosts: [] }), 'started', 'there was a host with a tag')
    assert.equal(daemons.reloads.length, 1)
    assert.equal(await dnsmasq.ensure({ ...config, ranges: [] }), 'started')
    daemons.running.clear()
    assert.equal(await dnsmasq.ensure({ ...config, ranges: [] }), 'started', 'it died')
    await dnsmasq.ensureNone(directory)
    assert.equal(daemons.running.size, 0)
    assert.deepEqual((await readdir(root)).includes('network'), false)
  })

  it('forgets the lease of an address that belongs to another port now', async () => {
    const dnsmasq = createDnsmasq(run, daemons)
    await dnsmasq.ensure(config)
    const leases = `1700000000 ${one} 10.0.0.5 one 01:02\n1700000000 ${two} 10.0.0.9 nine *\nduid 00:01\n1700000000 12345 2001:db8::5 one 00:01:02\n`
    await writeFile(join(directory, 'leases'), leases)
    assert.equal(await dnsmasq.ensure({ ...config, names: [] }), 'reloaded', 'the same owner keeps them')
    assert.equal(await dnsmasq.ensure({ ...config, names: [], hosts: [host(two, '10.0.0.5'), host(two, '2001:db8::5')] }), 'started')
    assert.equal(await readFile(join(directory, 'leases'), 'utf8'), `1700000000 ${two} 10.0.0.9 nine *\nduid 00:01\n`)
  })

  it('refuses a value with a line break', async () => {
    const dnsmasq = createDnsmasq(run, daemons)
    await assert.rejects(dnsmasq.ensure({ ...config, options: [{ tag: 's', option: 'option:mtu', value: '1\ndhcp-script=/bin/sh' }] }), /control character/)
    await assert.rejects(dnsmasq.ensure({ ...config, domain: 'x\nuser=root' }), /control character/)
    assert.deepEqual(started, [])
  })
})

describe('radvd', () => {
  it('is started, told, and taken away', async () => {
    const directory = join(root, 'router')
    const daemons = fakeDaemons()
    let starts = 0
    const radvd = createRadvd(async () => {
      starts++
      daemons.running.set(join(directory, 'pid'), join(directory, 'radvd.conf'))
      return { code: 0, stdout: '', stderr: '' }
    }, daemons)
    const face = { device: 'qr-1', mtu: 1450, managed: true, other: true, prefixes: [{ prefix: '2001:db8::/64', autonomous: false }], dns: ['2001:db8::53'] }
    assert.equal(await radvd.ensure({ netns: 'ns', directory, interfaces: [face] }), 'started')
    const text = await readFile(join(directory, 'radvd.conf'), 'utf8')
    for (const words of ['interface qr-1 {', 'AdvManagedFlag on;', 'AdvAutonomous off;', 'AdvLinkMTU 1450;', 'RDNSS 2001:db8::53 { };']) assert.ok(text.includes(words), words)
    assert.equal(await radvd.ensure({ netns: 'ns', directory, interfaces: [face] }), 'unchanged')
    assert.equal(await radvd.ensure({ netns: 'ns', directory, interfaces: [{ ...face, managed: false }] }), 'reloaded')
    assert.equal(starts, 1)
    await radvd.ensureNone(directory)
    assert.equal(daemons.running.size, 0)
  })
})
