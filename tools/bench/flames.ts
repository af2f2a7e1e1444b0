/** Flame graphs of PUT and GET of 16 MiB: JavaScript, WebAssembly, Node and the kernel, by `perf`; without it, what V8's own profile knows. */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { flameSvg, type Stacks } from './flame-svg.ts'
import { closeTransfers, openStore, transfer } from './store.ts'
import { closeConnections } from './subject.ts'

const SIZE = 16 * 2 ** 20
const AT_ONCE = 16

export async function drawFlames(folder: string, say: (line: string) => void): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-flames-'))
  const withPerf = existsSync('/usr/bin/perf')
  if (!withPerf) say('perf is not installed (apt-get install linux-perf): the graphs show JavaScript alone')
  const store = await openStore('fast', { BENCH_PROFILE: join(dir, 'profile'), BENCH_NODE: withPerf ? '--perf-basic-prof --interpreted-frames-native-stack' : '' })
  const { pid } = (await store.cloud.tell('pid')) as { pid: number }
  try {
    const body = Buffer.alloc(SIZE, 7)
    const works = {
      put: (i: number) => transfer('PUT', `${store.url}/o${i % 64}`, store.headers, body),
      get: (i: number) => transfer('GET', `${store.url}/o${i % 64}`, store.headers),
    }
    for (const [name, work] of Object.entries(works)) {
      const many = async (count: number): Promise<void> => {
        let next = 0
        await Promise.all(Array.from({ length: AT_ONCE }, async () => {
          for (let i = next++; i < count; i = next++) await work(i)
        }))
      }
      await many(128)
      const count = name === 'put' ? 256 : 768
      const stacks = withPerf ? await perfStacks(pid, join(dir, 'perf'), () => many(count)) : await profileStacks(store.cloud.tell, join(dir, 'profile'), () => many(count))
      const file = join(folder, `flame-object-${name}.svg`)
      await writeFile(file, flameSvg(`${name.toUpperCase()} of 16 MiB, sixteen at a time: where the CPU time of the cloud's process goes`, stacks))
      say(file)
    }
  } finally {
    closeConnections()
    closeTransfers()
    await store.stop()
    await rm(`/tmp/perf-${pid}.map`, { force: true })
    await rm(dir, { recursive: true, force: true })
  }
}

async function perfStacks(pid: number, file: string, work: () => Promise<void>): Promise<Stacks> {
  const recorder = spawn('perf', ['record', '-q', '-g', '-F', '1997', '-o', file, '-p', String(pid)], { stdio: 'ignore' })
  const ended = new Promise((resolve) => recorder.once('exit', resolve))
  await work()
  recorder.kill('SIGINT')
  await ended
  const { stdout } = await promisify(execFile)('perf', ['script', '-i', file, '-F', 'comm,ip,sym,dso'], { maxBuffer: 2 ** 30 })
  return stacksOf(stdout)
}

/** Samples as `perf script` prints them: the thread, then a line for each frame, the innermost first, then an empty line. */
export function stacksOf(text: string): Stacks {
  const stacks: Stacks = new Map()
  for (const sample of text.split('\n\n')) {
    const lines = sample.split('\n').filter((line) => line !== '')
    if (lines.length < 2) continue
    const thread = lines[0]!.trim().replace(/^node-?/, '').toLowerCase()
    const frames = lines.slice(1).map((line) => nameOf(/^\s*[0-9a-f]+ (.*) \((.*)\)$/.exec(line)?.slice(1) as [string, string] | undefined)).toReversed()
    const path = [thread.startsWith('main') ? 'loop' : thread, ...frames.filter((name, i) => name !== '' && name !== frames[i - 1])].join(';')
    stacks.set(path, (stacks.get(path) ?? 0) + 1)
  }
  return stacks
}

/** What does not help to see where the time goes is left out. */
function nameOf(frame: [string, string] | undefined): string {
  if (!frame) return ''
  const [symbol, object] = frame
  const script = /^(?:JS|Script|Function|LazyCompile|Eval):[*~^+']*(\S*) (?:file:\/\/)?(\S+?):\d+(?::\d+)?$/.exec(symbol)
  if (script) return `${script[1] || '(anonymous)'} ${script[2]!.replace(/^.*\/(base|stack|cloud|services)\//, '$1/').replace(/^.*node_modules\//, '')}`
  const wasm = /^(?:JS|Function):[*~^+]*wasm-function\[(\d+)\]|^(?:JS|Function):[*~^+]*((?:md5x\d+|xxh3|fold)\b)/.exec(symbol)
  if (wasm) return `WebAssembly ${wasm[2] ?? wasm[1]}`
  if (/^Builtins_|^\[unknown\]$|^BytecodeHandler|^Builtin:|^Stub:|^RegExp:|trampoline|^v8::internal::(?:Execution|\(anonymous)|^node::(?:Start|SpinEventLoop|NodeMainInstance|LoadEnv)|^__libc_start|^main$|^_start$/i.test(symbol)) return ''
  return `${symbol.replace(/\(.*$/, '').replace(/<.*$/, '').slice(0, 60)}${object.includes('kernel') ? ' [k]' : ''}`
}

async function profileStacks(tell: (message: string) => Promise<Record<string, unknown>>, file: string, work: () => Promise<void>): Promise<Stacks> {
  await tell('profile')
  await work()
  await tell('profile')
  const profile = JSON.parse(await readFile(file, 'utf8')) as { nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[]; samples: number[] }
  const pathOf = new Map<number, string>()
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const walk = (id: number, above: string): void => {
    const { callFrame, children } = byId.get(id)!
    const name = callFrame.functionName === '(root)' ? 'loop' : `${callFrame.functionName || '(anonymous)'} ${callFrame.url.replace(/^.*\/(base|stack|cloud|services)\//, '$1/')}`.trim()
    const path = above === '' ? name : `${above};${name}`
    pathOf.set(id, path)
    for (const child of children ?? []) walk(child, path)
  }
  walk(profile.nodes[0]!.id, '')
  const stacks: Stacks = new Map()
  for (const id of profile.samples) {
    const path = pathOf.get(id)!
    if (!path.endsWith('(idle)')) stacks.set(path, (stacks.get(path) ?? 0) + 1)
  }
  return stacks
}
