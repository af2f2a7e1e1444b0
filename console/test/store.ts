/** A cloud with an object store, a person in a browser before it, and what both tests of the object browser do with them. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { buildConsole } from '../../cloud/console-build.ts'
import { type Cloud, startCloud } from '../../cloud/start-cloud.ts'
import { openPage } from './browser.ts'
import { logIn, makeProject, type Person } from './people.ts'

export const MIB = 2 ** 20

export type Opened = Awaited<ReturnType<typeof openPage>>

interface Asked {
  headers?: Record<string, string>
  body?: string | Buffer
  anyone?: boolean
}

export interface Store {
  cloud: Cloud
  demo: Person
  admin: Person
  /** A project without anything. */
  empty: string
  /** A folder of this machine, for files that are chosen twice. */
  files: string
  /** Logged in. */
  openAt(path: string, options?: Parameters<typeof openPage>[1]): Promise<Opened>
  /** In the tab of the test before, which has all files already. */
  goTo(path: string): Promise<Opened>
  /** What somebody else does, past the dashboard. */
  swift(method: string, path: string, asked?: Asked): Promise<Response>
  /** The same, which must succeed. */
  made(method: string, path: string, asked?: Asked): Promise<Response>
  inside(container: string, more?: string): string
  close(): Promise<void>
}

export async function startStore(): Promise<Store> {
  await buildConsole({ env: process.env })
  // Files beyond one MiB go in segments.
  const cloud = await startCloud({ port: 0, drivers: 'fake', config: { 'swift.max_file_size': MIB, 'swift.policies': [{ name: 'standard', default: true }, { name: 'cold' }] } })
  const files = await mkdtemp(join(tmpdir(), 'console-objects-'))
  const demo = await logIn(cloud, 'user')
  const admin = await logIn(cloud, 'admin')
  const empty = await makeProject(admin, 'empty')
  const session = await sessionOf(cloud, demo.project)
  const token = (JSON.parse(session) as { scoped: Record<string, string> }).scoped[demo.project]!
  let tab: Opened | undefined

  async function openAt(path: string, options: Parameters<typeof openPage>[1] = {}): Promise<Opened> {
    const fresh = await openPage(cloud.url, { permissions: ['clipboard-read', 'clipboard-write'], ...options })
    const { page, troubles } = fresh
    page.on('dialog', (asked) => {
      if (asked.type() !== 'beforeunload') troubles.push(asked.message())
      void asked.accept()
    })
    // The login has tests of its own.
    await page.addInitScript((kept) => sessionStorage.getItem('ondol.session') ?? sessionStorage.setItem('ondol.session', kept), session)
    await page.goto(`/console/projects/${path}`)
    return fresh
  }
  async function swift(method: string, path: string, { headers = {}, body, anyone = false }: Asked = {}): Promise<Response> {
    const url = path.startsWith('http') ? path : `${cloud.url}/v1/AUTH_${demo.project}${path}`
    return fetch(url, { method, headers: { ...(anyone ? {} : { 'x-auth-token': token }), ...headers }, ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }) })
  }
  return {
    cloud, demo, admin, empty, files, openAt, swift,
    async goTo(path) {
      if (!tab) return (tab = await openAt(path))
      tab.troubles.length = 0
      await tab.page.goto(`/console/projects/${path}`)
      return tab
    },
    async made(method, path, asked = {}) {
      const answer = await swift(method, path, asked)
      assert.ok(answer.ok, `${method} ${path}: ${answer.status}`)
      return answer
    },
    inside: (container, more = '') => `${demo.project}/containers/objects?container=${encodeURIComponent(container)}${more}`,
    async close() {
      await cloud.close()
      await rm(files, { recursive: true, force: true })
    },
  }
}

/** What the dashboard keeps of who logs in as the demo user. */
async function sessionOf(cloud: Cloud, project: string): Promise<string> {
  const { username, password } = cloud.credentials.user
  const { page } = await openPage(cloud.url)
  await page.goto(`/console/projects/${project}/containers`)
  await page.getByLabel('User name').fill(username)
  await page.getByRole('textbox', { name: 'Password' }).fill(password.reveal())
  await page.keyboard.press('Enter')
  await page.getByText('No containers yet').waitFor()
  const session = await page.evaluate(() => sessionStorage.getItem('ondol.session'))
  await page.context().close()
  return session!
}

export const row = (page: Page, name: string): Locator => page.getByRole('row').filter({ has: page.getByText(name, { exact: true }) })
export const dialog = (page: Page): Locator => page.getByRole('dialog')
export const closed = (page: Page): Promise<void> => dialog(page).waitFor({ state: 'detached' })
export const said = (page: Page, text: string | RegExp): Promise<void> => page.getByRole('status').getByText(text).waitFor({ state: 'attached' })

export async function menu(page: Page, name: string, item: string): Promise<void> {
  await page.getByRole('button', { name: `Actions of ${name}`, exact: true }).click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
}

export async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.fail(`${holds} never held`)
}

/** One red dot. */
export const PIXEL = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==', 'base64')
