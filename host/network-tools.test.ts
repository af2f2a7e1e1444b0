/** The wrappers of network tools against a recorded `Run`: which words they run, and how they read the answers. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Fault } from '#base/fault.ts'
import type { Run, RunResult } from '#base/process/run.ts'
import { createBridge } from './bridge.ts'
import { createConntrack } from './conntrack.ts'
import { createIp } from './ip.ts'
import { namespacePath, runInNamespace, setSysctls } from './namespace.ts'
import { createNft } from './nft.ts'
import { createTc } from './tc.ts'

interface Recorded {
  words: string[]
  input: string
}

function recorder(answer: Partial<RunResult> | Error = {}): { run: Run; calls: Recorded[] } {
  const calls: Recorded[] = []
  return {
    calls,
    run: async (tool, args, options) => {
      calls.push({ words: [tool, ...args], input: String(options?.input ?? '') })
      if (answer instanceof Error) throw answer
      return { code: 0, stdout: '', stderr: '', ...answer }
    },
  }
}

describe('ip', () => {
  it('runs many commands as one process, in a namespace', async () => {
    const { run, calls } = recorder()
    await createIp(run).batch([['link', 'add', 'br1', 'type', 'bridge'], ['link', 'set', 'br1', 'alias', 'network 5', 'up']], 'ns')
    assert.deepEqual(calls, [{ words: ['ip', '-n', 'ns', '-batch', '-'], input: 'link add br1 type bridge\nlink set br1 alias "network 5" up\n' }])
  })

  it('runs nothing for nothing', async () => {
    const { run, calls } = recorder()
    await createIp(run).batch([])
    assert.deepEqual(calls, [])
  })

  it('refuses a word that would become two commands', async () => {
    const { run, calls } = recorder()
    for (const word of ['a\nlink del eth0', 'a"b', 'a;b', '', 'a#b', 'a\\']) await assert.rejects(createIp(run).batch([['link', 'del', word]]), Fault)
    assert.deepEqual(calls, [])
  })

  it('names the command that failed', async () => {
    const { run } = recorder(new Fault('internal', 'ip failed', { data: { stderr: 'RTNETLINK answers: File exists\nCommand failed -:2\n' } }))
    await assert.rejects(createIp(run).batch([['link', 'add', 'a'], ['link', 'add', 'b']]), (thrown: Fault) => /File exists/.test(thrown.message) && thrown.detail === 'link add b')
  })

  it('reads links, addresses and routes', async () => {
    const links = [{ ifname: 'brq1', ifindex: 2, flags: ['UP'], mtu: 1450, address: 'aa:bb:cc:dd:ee:ff', master: 'br0', ifalias: 'x', linkinfo: { info_kind: 'bridge' }, addr_info: [{ local: '10.0.0.1', prefixlen: 24 }] }, {}]
    const ip = createIp(recorder({ stdout: JSON.stringify(links) }).run)
    const link = { ifname: 'brq1', ifindex: 2, up: true, mtu: 1450, address: 'aa:bb:cc:dd:ee:ff', kind: 'bridge', master: 'br0', ifalias: 'x' }
    assert.deepEqual(await ip.links(), [link])
    assert.deepEqual(await ip.addresses(), [{ ...link, addresses: ['10.0.0.1/24'] }])
    assert.deepEqual(await createIp(recorder({ stdout: '' }).run).namespaces(), [])
  })
})

describe('other tools', () => {
  it('enters a namespace by name only', async () => {
    const { run, calls } = recorder()
    await runInNamespace(run, 'a-b.c')('nft', ['-f', '-'])
    await runInNamespace(run, undefined)('nft', ['-f', '-'])
    await setSysctls(run, 'ns', { 'net.ipv4.ip_forward': 1 })
    assert.deepEqual(
      calls.map(({ words }) => words.join(' ')),
      ['nsenter --net=/run/netns/a-b.c -- nft -f -', 'nft -f -', 'nsenter --net=/run/netns/ns -- sysctl -q -w net.ipv4.ip_forward=1'],
    )
    assert.throws(() => namespacePath('../etc'), Fault)
  })

  it('says what nft said', async () => {
    const { run } = recorder(new Fault('internal', 'nft failed', { data: { stderr: 'Error: syntax error\n more' } }))
    await assert.rejects(createNft(run).apply('table x'), /nft refused a ruleset: Error: syntax error/)
  })

  it('forgets connections again when one ended by itself meanwhile', async () => {
    const answers = [{ code: 1, stderr: 'conntrack: Operation failed: such conntrack doesn\'t exist' }, { code: 1, stderr: '0 flow entries have been deleted.' }]
    let calls = 0
    const once: Run = async () => ({ stdout: '', ...answers[calls++]! })
    await createConntrack(once).forget({ family: 4, orig_dst: '10.0.0.1' })
    assert.equal(calls, 2)
    const never: Run = async () => ({ stdout: '', ...answers[0]! })
    await assert.rejects(createConntrack(never).forget({ family: 4 }), /could not forget/)
  })

  it('writes fdb, tc and conntrack commands', async () => {
    const { run, calls } = recorder({ stdout: '[]' })
    await createBridge(run).batch([['fdb', 'append', '00:00:00:00:00:00', 'dev', 'vx', 'dst', '10.0.0.1']], 'f')
    assert.deepEqual(await createBridge(run).fdb('vx', 'f'), [])
    await createTc(run).batch([['qdisc', 'del', 'dev', 't', 'root']])
    await createConntrack(run).forget({ family: 6, zone: 4, orig_src: '::1', orig_dst: '::2', reply_dst: '::3' }, 'f')
    assert.deepEqual(
      calls.map(({ words, input }) => [words.join(' '), input]),
      [
        ['bridge -n f -batch -', 'fdb append 00:00:00:00:00:00 dev vx dst 10.0.0.1\n'],
        ['bridge -n f -j fdb show dev vx', ''],
        ['tc -batch -', 'qdisc del dev t root\n'],
        ['nsenter --net=/run/netns/f -- conntrack -D -f ipv6 -w 4 -s ::1 -d ::2 -q ::3', ''],
      ],
    )
  })
})
