/** The dashboard in a real browser, against a whole cloud with fake drivers. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { buildConsole } from '../../cloud/console-build.ts'
import { type Cloud, startCloud } from '../../cloud/start-cloud.ts'
import { openPage } from './browser.ts'
import { logIn, makeProject, makeServer, type Person } from './people.ts'

const LISTS = '**/compute/v2.1/servers/detail?**'

describe('dashboard', () => {
  let cloud: Cloud
  let demo: Person
  /** A project of demo's without servers. */
  let other: string

  before(async () => {
    await buildConsole({ env: process.env })
    cloud = await startCloud({ port: 0, drivers: 'fake' })
    demo = await logIn(cloud, 'user')
    other = await makeProject(await logIn(cloud, 'admin'), 'other')
    await makeServer(demo, 'web-0', 'auto')
    for (const name of ['web-1', 'web-2']) await makeServer(demo, name)
  })
  after(() => cloud?.close())

  async function fillLogin(page: Page, password = cloud.credentials.user.password.reveal()): Promise<void> {
    await page.getByLabel('User name').fill(cloud.credentials.user.username)
    await page.getByRole('textbox', { name: 'Password' }).fill(password)
    await page.getByRole('button', { name: 'Log in' }).click()
  }

  /** Logged in, at the servers of a project. */
  async function openServers(project = demo.project): Promise<{ page: Page; troubles: string[] }> {
    const opened = await openPage(cloud.url)
    await opened.page.goto(`/console/projects/${project}/servers`)
    await fillLogin(opened.page)
    await opened.page.waitForURL(`**/console/projects/${project}/servers`)
    return opened
  }

  const close = (page: Page): Promise<void> => page.context().close()
  const names = (page: Page): Promise<string[]> => page.locator('tbody td:first-child').allTextContents()
  const kept = (page: Page): Promise<string | null> => page.evaluate(() => sessionStorage.getItem('ondol.session'))

  test('a wrong password is said, a right one leads to where one wanted to go', async () => {
    const { page, troubles } = await openPage(cloud.url)
    await page.goto(`/console/projects/${demo.project}/servers?name=nothing`)
    await page.waitForURL('**/console/login?**')
    await fillLogin(page, 'not this one')
    await page.getByText('User name, password or domain is wrong.').waitFor()
    assert.equal(await kept(page), null)
    await fillLogin(page)
    await page.waitForURL(`**/console/projects/${demo.project}/servers?name=nothing`)
    await page.getByText('No name holds “nothing”.').waitFor()
    // Nothing of the login outlives the tab.
    const { cookies, origins } = await page.context().storageState()
    assert.deepEqual(cookies, [])
    assert.deepEqual(origins.flatMap(({ localStorage }) => localStorage.map(({ name }) => name)), ['ondol.project'])
    assert.deepEqual(troubles, [])
    await close(page)
  })

  test('a login leads nowhere but into the dashboard', async () => {
    const { page } = await openPage(cloud.url)
    await page.goto(`/console/login?next=${encodeURIComponent('//example.org/')}`)
    await fillLogin(page)
    await page.waitForURL(`${cloud.url}/console/projects/*/servers`)
    await close(page)
  })

  test('servers show their status, addresses and flavor; one made by the API appears by itself, its name as text', async () => {
    const { page, troubles } = await openServers()
    const row = page.getByRole('row').filter({ hasText: 'web-0' })
    await row.getByText('Active').waitFor()
    await row.getByText(/10\.0\.0\.\d+/).waitFor()
    await row.getByText('1 vCPU · 128 MiB · 1 GiB').waitFor()
    const name = '<script>alert(1)</script><img src=x onerror=alert(2)>'
    page.on('dialog', (dialog) => troubles.push(dialog.message()))
    await makeServer(demo, name)
    await page.getByText(name, { exact: true }).waitFor()
    assert.equal(await page.locator('td img, td script').count(), 0)
    assert.deepEqual(troubles, [])
    await close(page)
  })

  test('a list is found in, sorted and paged by its address', async () => {
    const { page, troubles } = await openServers()
    await page.getByPlaceholder('Find by name').fill('eb-')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/servers?name=eb-')
    await page.getByText('<script>').waitFor({ state: 'detached' })
    const heading = page.getByRole('button', { name: 'Name', exact: true })
    await heading.click()
    await page.waitForURL('**/servers?name=eb-&sort=display_name&dir=*')
    await heading.click()
    await page.waitForURL('**/servers?name=eb-&sort=display_name&dir=desc')
    await page.locator('tbody tr:first-child').getByText('web-2').waitFor()
    assert.deepEqual(await names(page), ['web-2', 'web-1', 'web-0'])
    // As if a page held two.
    await page.route(LISTS, (route) => route.continue({ url: route.request().url().replace('limit=50', 'limit=2') }))
    await page.reload()
    await page.getByRole('button', { name: 'Next page' }).click()
    await page.getByText('web-0').waitFor()
    assert.deepEqual(await names(page), ['web-0'])
    await page.goBack()
    await page.getByText('web-2').waitFor()
    assert.deepEqual(await names(page), ['web-2', 'web-1'])
    assert.deepEqual(troubles, [])
    await close(page)
  })

  test('the project is switched, and with it the token', async () => {
    const { page, troubles } = await openServers()
    await page.getByText('web-0').waitFor()
    await page.getByRole('button', { name: 'Project: demo' }).click()
    await page.getByRole('option', { name: 'other' }).click()
    await page.waitForURL(`**/console/projects/${other}/servers`)
    await page.getByText('No servers yet').waitFor()
    // The last project is the first one next time.
    await page.goto('/console')
    await page.waitForURL(`**/console/projects/${other}/servers`)
    await page.goto('/console/projects/nobodys/servers')
    await page.getByText('This project is not there for you').waitFor()
    assert.deepEqual(troubles, [])
    await close(page)
  })

  test('Korean is chosen and remembered; a Korean browser begins with it', async () => {
    const { page, troubles } = await openServers()
    await page.getByText('Active').first().waitFor()
    await page.getByRole('button', { name: '한국어' }).click()
    await page.getByRole('heading', { name: '서버' }).waitFor()
    await page.getByText('실행 중').first().waitFor()
    assert.equal(await page.locator('html').getAttribute('lang'), 'ko')
    await page.reload()
    await page.getByText('실행 중').first().waitFor()
    assert.deepEqual(troubles, [])
    await close(page)
    const korean = await openPage(cloud.url, { locale: 'ko-KR' })
    await korean.page.goto('/console')
    await korean.page.getByRole('heading', { name: '클라우드에 로그인' }).waitFor()
    await close(korean.page)
  })

  test('a failure says what the service said and under which id, and does not take away what is shown', async () => {
    const { page, troubles } = await openServers()
    await page.getByText('web-0').waitFor()
    const said = { computeFault: { code: 500, message: 'Something <b>broke</b>.' } }
    await page.route(LISTS, (route) => route.fulfill({ status: 500, headers: { 'x-openstack-request-id': 'req-of-the-failure' }, json: said }))
    await page.getByRole('button', { name: 'Refresh' }).click()
    await page.getByText('The list may be out of date: Something <b>broke</b>.').waitFor()
    await page.getByText('web-0').waitFor()
    await page.reload()
    await page.getByText('The request failed').waitFor()
    await page.getByText('Something <b>broke</b>.', { exact: true }).waitFor()
    await page.getByText('req-of-the-failure').waitFor()
    await page.unroute(LISTS)
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('web-0').waitFor()
    assert.deepEqual(troubles, [])
    await close(page)
  })

  test('a logout ends the tokens at Keystone; a token that ended leads to the login', async () => {
    const { page, troubles } = await openServers()
    await page.getByText('web-0').waitFor()
    const session = (await kept(page))!
    const { token, scoped } = JSON.parse(session) as { token: string; scoped: Record<string, string> }
    const tokens = [token, ...Object.values(scoped)]
    assert.equal(tokens.length, 2)
    let revoked = 0
    const allRevoked = page.waitForResponse((answer) => answer.request().method() === 'DELETE' && answer.status() === 204 && ++revoked === tokens.length)
    await page.getByRole('button', { name: 'Account of demo' }).click()
    await page.getByRole('menuitem', { name: 'Log out' }).click()
    await page.waitForURL('**/console/login')
    await allRevoked
    for (const one of tokens) assert.equal((await cloud.fetch('/identity/v3/auth/projects', { headers: { 'x-auth-token': one } })).status, 401)
    assert.equal(await kept(page), null)

    await page.evaluate((old) => sessionStorage.setItem('ondol.session', old), session)
    await page.goto(`/console/projects/${demo.project}/servers`)
    await page.getByText('Your session has ended. Please log in again.').waitFor()
    await fillLogin(page)
    await page.waitForURL(`**/console/projects/${demo.project}/servers`)
    assert.deepEqual(troubles, [])
    await close(page)
  })

  test('a server is made, shut off and started, tells what was done to it, shows its screen, and is deleted', async () => {
    const { page, troubles } = await openServers()
    await page.getByRole('button', { name: 'Create server' }).click()
    const form = page.getByRole('dialog')
    await form.getByLabel('Name').fill('power')
    await form.getByLabel('Flavor').selectOption({ label: 'm1.nano (1 vCPU · 128 MiB · 1 GiB)' })
    await form.getByLabel('Network').selectOption('None')
    await form.getByRole('button', { name: 'Create' }).click()
    await form.waitFor({ state: 'detached' })
    const row = page.getByRole('row').filter({ hasText: 'power' })
    const choose = async (item: string): Promise<void> => {
      await page.getByRole('button', { name: 'Actions of power' }).click()
      await page.getByRole('menuitem', { name: item, exact: true }).click()
    }
    await row.getByText('Active').waitFor()
    const [screen] = await Promise.all([page.waitForEvent('popup'), choose('Open the screen')])
    await screen.waitForURL('**/console/vnc.html?path=*')
    await screen.close()
    await choose('Shut off')
    await row.getByText('Shut off').waitFor()
    await page.route('**/action', (route) => route.fulfill({ status: 409, headers: { 'x-openstack-request-id': 'req-of-the-refusal' }, json: { conflictingRequest: { code: 409, message: 'Cannot start <it>.' } } }))
    await choose('Start')
    const alert = page.getByRole('alert').filter({ hasText: 'It could not be done to power' })
    await alert.getByText('Cannot start <it>.').waitFor()
    await alert.getByText('req-of-the-refusal').waitFor()
    await page.unroute('**/action')
    await choose('Start')
    await row.getByText('Active').waitFor()
    await page.getByRole('link', { name: 'power' }).click()
    const events = page.getByRole('dialog').getByRole('grid', { name: 'What was done to it' })
    for (const event of ['Created', 'Shut off', 'Started']) await events.getByText(event, { exact: true }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await choose('Delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await row.waitFor({ state: 'detached' })
    assert.deepEqual(troubles, [])
    await close(page)
  })

  test('labels, roles and contrast hold on every page, in light and dark', async () => {
    const axe = await readFile(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page } = await openPage(cloud.url, { colorScheme })
      const judge = async (where: string): Promise<void> => {
        await page.evaluate(axe)
        const found = await page.evaluate<string[]>("axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`))")
        assert.deepEqual(found, [], `${where}, ${colorScheme}`)
      }
      await page.goto(`/console/projects/${demo.project}/servers`)
      await page.getByLabel('User name').waitFor()
      await judge('login')
      await fillLogin(page)
      await page.getByText('web-0').waitFor()
      await judge('servers')
      await page.getByRole('link', { name: 'web-0' }).click()
      await page.getByRole('dialog').getByText('Created', { exact: true }).last().waitFor()
      await judge('a server')
      await page.goto(`/console/projects/${other}/servers`)
      await page.getByText('No servers yet').waitFor()
      await judge('no servers')
      await close(page)
    }
  })
})
