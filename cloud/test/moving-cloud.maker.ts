/**
 * A cloud whose object store is read and written without a pause; run by itself it moves its database meanwhile, and may die at a step of that. It says
 * what it is about to do and what was acknowledged.
 */
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { type Cloud, startCloud } from '../start-cloud.ts'

export async function tokenOf(cloud: Cloud): Promise<string> {
  const { username, password, project_name } = cloud.credentials.admin
  const domain = { id: 'default' }
  const body = { auth: { identity: { methods: ['password'], password: { user: { name: username, password: password.reveal(), domain } } }, scope: { project: { name: project_name, domain } } } }
  const answer = await cloud.fetch('/v3/auth/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`)
  return answer.headers.get('x-subject-token')!
}

export const bodyOf = (name: string): Buffer => Buffer.alloc(100 + (createHash('md5').update(name).digest()[0]! << 4), `${name} `)

export interface Box {
  /** Answers other than these are errors. */
  ask(method: string, below: string, body?: Uint8Array, allowed?: readonly number[]): Promise<Response>
  names(): Promise<string[]>
}

/** The container `box` of the administrator's project. */
export async function boxOf(cloud: Cloud): Promise<Box> {
  const token = await tokenOf(cloud)
  const project = (await (await cloud.fetch('/v3/auth/tokens', { headers: { 'x-auth-token': token, 'x-subject-token': token } })).json()) as { token: { project: { id: string } } }
  const root = `/object-store/v1/AUTH_${project.token.project.id}/box`
  const ask: Box['ask'] = async (method, below, body, allowed = [200, 201, 202, 204]) => {
    const answer = await cloud.fetch(`${root}${below}`, { method, headers: { 'x-auth-token': token }, ...(body ? { body } : {}) } as RequestInit)
    if (!allowed.includes(answer.status)) throw new Error(`${method} ${below}: ${answer.status} ${await answer.text()}`)
    return answer
  }
  await ask('PUT', '')
  return {
    ask,
    async names() {
      const out: string[] = []
      for (let page: { name: string }[]; (page = (await (await ask('GET', `?format=json&limit=500&marker=${out.at(-1) ?? ''}`)).json()) as { name: string }[]).length > 0; ) out.push(...page.map((one) => one.name))
      return out
    },
  }
}

/** Uploads, reads and deletes until it is told to end; every other answer than success is an error. `tell` hears `try`, `put` and `gone` with a name. */
export async function busy(box: Box, tag: string, tell: (line: string) => void, over: () => boolean): Promise<void> {
  await Promise.all(
    Array.from({ length: 4 }, async (_, worker) => {
      for (let i = 0; !over(); i++) {
        const name = `${tag}-w${worker}-${i}`
        tell(`try ${name}`)
        await box.ask('PUT', `/${name}`, bodyOf(name))
        tell(`put ${name}`)
        if (!Buffer.from(await (await box.ask('GET', `/${name}`)).arrayBuffer()).equals(bodyOf(name))) throw new Error(`${name} is not what was put`)
        if (i % 10 === 7 && !(await box.names()).includes(name)) throw new Error(`${name} is not listed`)
        if (i % 3 === 2) {
          const old = `${tag}-w${worker}-${i - 1}`
          tell(`try ${old}`)
          await box.ask('DELETE', `/${old}`)
          tell(`gone ${old}`)
          await box.ask('GET', `/${old}`, undefined, [404])
        }
        // Without a socket in between nobody else would have a turn.
        await delay(10)
      }
    }),
  )
}

if (import.meta.main) {
  const [dataDir, to, tag, dieAt] = process.argv.slice(2) as [string, string, string, string]
  const tell = (line: string): void => void writeSync(1, `${line}\n`)
  const die = (step: string): void => {
    if (step === dieAt) process.kill(process.pid, 'SIGKILL')
  }
  const cloud = await startCloud({ dataDir, port: null, config: { 'seed.enabled': false, 'database.durability': 'fast', 'swift.durability': 'fast' }, atMove: die })
  const box = await boxOf(cloud)
  let over = false
  let lines = 0
  const work = busy(box, tag, (line) => {
    lines++
    tell(line)
  }, () => over)
  const until = async (count: number): Promise<void> => {
    for (const end = lines + count; lines < end; ) await nextTurn()
  }
  await until(60)
  await cloud.databaseMove.start(to)
  await cloud.databaseMove.done
  const view = await cloud.databaseMove.view()
  await until(60)
  over = true
  await work
  tell(view.state === 'moved' ? 'moved' : `state ${JSON.stringify(view)}`)
  await cloud.close()
}
