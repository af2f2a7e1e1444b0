/** The object browser in a real browser, against a whole cloud. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import { buildConsole } from '../../cloud/console-build.ts'
import { type Cloud, startCloud } from '../../cloud/start-cloud.ts'
import { openPage } from './browser.ts'
import { logIn, makeProject, type Person } from './people.ts'

const MIB = 2 ** 20

type Opened = Awaited<ReturnType<typeof openPage>>

describe('object browser', () => {
  let cloud: Cloud
  let demo: Person
  /** As the dashboard keeps it. */
  let session: string
  let token: string
  /** A project without anything. */
  let empty: string
  let tab: Opened | undefined
  /** Of this machine, for files that are chosen twice. */
  let folder: string

  before(async () => {
    await buildConsole({ env: process.env })
    // Files beyond one MiB go in segments.
    cloud = await startCloud({ port: 0, drivers: 'fake', config: { 'swift.max_file_size': MIB, 'swift.policies': [{ name: 'standard', default: true }, { name: 'cold' }] } })
    folder = await mkdtemp(join(tmpdir(), 'console-objects-'))
    demo = await logIn(cloud, 'user')
    empty = await makeProject(await logIn(cloud, 'admin'), 'empty')
    const { username, password } = cloud.credentials.user
    const { page } = await openPage(cloud.url)
    await page.goto(`/console/projects/${demo.project}/containers`)
    await page.getByLabel('User name').fill(username)
    await page.getByRole('textbox', { name: 'Password' }).fill(password.reveal())
    await page.keyboard.press('Enter')
    await page.getByText('No containers yet').waitFor()
    session = (await page.evaluate(() => sessionStorage.getItem('ondol.session')))!
    token = (JSON.parse(session) as { scoped: Record<string, string> }).scoped[demo.project]!
    await page.context().close()
  })
  after(async () => {
    await cloud?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** Logged in. */
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

  /** In the tab of the test before, which has all files already. */
  async function goTo(path: string): Promise<Opened> {
    if (!tab) return (tab = await openAt(path))
    tab.troubles.length = 0
    await tab.page.goto(`/console/projects/${path}`)
    return tab
  }

  /** What somebody else does, past the dashboard. */
  async function swift(method: string, path: string, { headers = {}, body, anyone = false }: { headers?: Record<string, string>; body?: string | Buffer; anyone?: boolean } = {}): Promise<Response> {
    const url = path.startsWith('http') ? path : `${cloud.url}/v1/AUTH_${demo.project}${path}`
    return fetch(url, { method, headers: { ...(anyone ? {} : { 'x-auth-token': token }), ...headers }, ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }) })
  }

  async function made(method: string, path: string, more: Parameters<typeof swift>[2] = {}): Promise<Response> {
    const answer = await swift(method, path, more)
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`)
    return answer
  }

  const inside = (container: string, more = ''): string => `${demo.project}/containers/objects?container=${encodeURIComponent(container)}${more}`
  const row = (page: Page, name: string): Locator => page.getByRole('row').filter({ has: page.getByText(name, { exact: true }) })
  const dialog = (page: Page): Locator => page.getByRole('dialog')
  const closed = (page: Page): Promise<void> => dialog(page).waitFor({ state: 'detached' })
  const said = (page: Page, text: string | RegExp): Promise<void> => page.getByRole('status').getByText(text).waitFor({ state: 'attached' })
  async function menu(page: Page, name: string, item: string): Promise<void> {
    await page.getByRole('button', { name: `Actions of ${name}`, exact: true }).click()
    await page.getByRole('menuitem', { name: item }).click()
  }

  test('a first container is made by keyboard, opened to everyone and closed again; a full one goes only when its name is written', async () => {
    const { page, troubles } = await goTo(`${demo.project}/containers`)
    await page.getByText('No containers yet').waitFor()
    await page.getByRole('button', { name: 'Create the first container' }).focus()
    await page.keyboard.press('Enter')
    await dialog(page).getByLabel('Name').waitFor()
    await page.keyboard.type('a/b')
    await dialog(page).getByText('The name of a container holds no slash.').waitFor()
    assert.ok(await dialog(page).getByRole('button', { name: 'Create' }).isDisabled())
    await dialog(page).getByLabel('Name').fill('사진 & <b>')
    await page.getByLabel('Storage policy').selectOption('cold')
    await page.getByLabel('Everyone may read and list it').check()
    await page.keyboard.press('Enter')
    const line = row(page, '사진 & <b>')
    await line.getByText('Public').waitFor()
    await line.getByText('cold').waitFor()
    const path = `/${encodeURIComponent('사진 & <b>')}`
    await made('PUT', `${path}/one`, { body: 'one' })
    assert.equal(await (await swift('GET', `${path}/one`, { anyone: true })).text(), 'one')
    await menu(page, '사진 & <b>', 'Access and links')
    await page.getByLabel('Everyone may read and list it').uncheck()
    await page.getByRole('button', { name: 'Save' }).click()
    await line.getByText('Private').waitFor()
    assert.equal((await swift('GET', `${path}/one`, { anyone: true })).status, 401)
    await menu(page, '사진 & <b>', 'Delete container')
    const remove = dialog(page).getByRole('button', { name: 'Delete container and objects' })
    assert.ok(await remove.isDisabled())
    await page.getByLabel('Write the name of the container').fill('사진 & <b>')
    await remove.click()
    await page.getByText('No containers yet').waitFor()
    assert.equal((await swift('HEAD', path)).status, 404)
    assert.deepEqual(troubles, [])
  })

  test('files are chosen and dropped; what is there is replaced only when one says so; a failure says why and is tried again', async () => {
    await made('PUT', '/up')
    const { page, troubles } = await goTo(inside('up'))
    await page.getByText('This container is empty').waitFor()
    const files = [{ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('first') }, { name: '한글.txt', mimeType: 'text/plain', buffer: Buffer.from('둘째') }]
    await page.locator('input[type=file]:not([webkitdirectory])').first().setInputFiles(files)
    await said(page, 'Finished: 2 of 2 done, 0 to be looked at')
    await row(page, '한글.txt').waitFor()
    // In a folder that is made here, by a drop.
    await page.getByRole('button', { name: 'Create folder' }).click()
    await page.getByLabel('Name of the folder').fill('2026')
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: '2026' }).click()
    await page.getByText('This folder is empty').waitFor()
    const drop = await page.evaluateHandle(`(() => {
      const transfer = new DataTransfer()
      // As macOS writes it.
      transfer.items.add(new File(['dropped'], '각.txt'.normalize('NFD')))
      return transfer
    })()`)
    for (const kind of ['dragenter', 'dragover']) await page.dispatchEvent('.drop-area', kind, { dataTransfer: drop })
    await page.getByText('Drop to upload').waitFor()
    await page.dispatchEvent('.drop-area', 'drop', { dataTransfer: drop })
    await row(page, '각.txt').waitFor()
    assert.equal(await (await made('GET', `/up/2026/${encodeURIComponent('각.txt')}`)).text(), 'dropped')
    await page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'up' }).click()
    await row(page, 'a.txt').waitFor()
    // Again the same name.
    await page.getByRole('button', { name: 'Clear finished' }).click()
    await page.locator('input[type=file]').first().setInputFiles([{ ...files[0]!, buffer: Buffer.from('second') }])
    await page.getByRole('button', { name: 'Replace a.txt' }).waitFor()
    assert.equal(await (await made('GET', '/up/a.txt')).text(), 'first')
    await page.getByRole('button', { name: 'Replace a.txt' }).click()
    await said(page, 'Finished: 1 of 1 done, 0 to be looked at')
    assert.equal(await (await made('GET', '/up/a.txt')).text(), 'second')
    // Both stay, here and for whatever else of what is chosen now is taken.
    await page.getByRole('button', { name: 'Clear finished' }).click()
    await page.locator('input[type=file]').first().setInputFiles(files)
    await page.getByRole('button', { name: 'Skip 한글.txt' }).waitFor()
    await page.getByRole('button', { name: 'Keep all twice' }).click()
    await said(page, 'Finished: 2 of 2 done, 0 to be looked at')
    await row(page, '한글 (2).txt').waitFor()
    assert.equal(await (await made('GET', `/up/${encodeURIComponent('a (2).txt')}`)).text(), 'first')
    // The store is away.
    const away = (url: URL): boolean => url.pathname.endsWith('/up/b.txt')
    await page.route(away, (route) => (route.request().method() === 'PUT' ? route.fulfill({ status: 503, headers: { 'x-trans-id': 'tx-of-the-failure' }, body: '<html><h1>Service Unavailable</h1><p>The &lt;disk&gt; is away.</p></html>' }) : route.continue()))
    await page.locator('input[type=file]').first().setInputFiles([{ ...files[0]!, name: 'b.txt' }])
    const alert = page.getByRole('alert').filter({ hasText: 'The upload failed' })
    await alert.getByText('The <disk> is away.').waitFor()
    await alert.getByText('tx-of-the-failure').waitFor()
    await alert.getByText(/Try again; if it lasts/).waitFor()
    await page.unroute(away)
    await page.getByRole('button', { name: 'Try b.txt again' }).click()
    await row(page, 'b.txt').waitFor()
    assert.deepEqual(troubles, [])
  })

  test('a large file goes in segments with its progress, can be stopped, and comes back whole', async () => {
    await made('PUT', '/big', { headers: { 'x-storage-policy': 'cold' } })
    const { page, troubles } = await goTo(inside('big'))
    await page.getByText('This container is empty').waitFor()
    const content = Buffer.from(Uint8Array.from({ length: 2.5 * MIB }, (_, i) => i * 31 + (i >> 11)))
    // The second segment does not arrive.
    let hold = true
    const second = (url: URL): boolean => url.pathname.endsWith('/00000001')
    await page.route(second, async (route) => (hold ? undefined : route.continue()))
    const input = page.locator('input[type=file]').first()
    await input.setInputFiles([{ name: 'film.bin', mimeType: 'video/mp4', buffer: content }])
    const bar = page.getByRole('progressbar', { name: 'Upload of film.bin' })
    await waitFor(async () => Number(await bar.getAttribute('aria-valuenow')) >= 40)
    assert.ok(Number(await bar.getAttribute('aria-valuenow')) < 100)
    await said(page, /^25 %|^50 %|^75 %/)
    await page.getByRole('button', { name: 'Cancel film.bin' }).click()
    await page.getByText('Cancelled', { exact: true }).waitFor()
    await waitFor(async () => (await (await made('GET', '/big_segments?format=json')).json() as unknown[]).length === 0)
    assert.equal((await swift('HEAD', '/big/film.bin')).status, 404)
    await page.getByRole('button', { name: 'Clear finished' }).click()
    // Now the store refuses it, for longer than is tried by itself. What has arrived is not sent again.
    hold = false
    await page.unroute(second)
    await page.route(second, (route) => route.fulfill({ status: 503 }))
    const sent: string[] = []
    page.on('request', (request) => request.method() === 'PUT' && sent.push(request.url().split('/').pop()!))
    await input.setInputFiles([{ name: 'film.bin', mimeType: 'video/mp4', buffer: content }])
    await page.getByRole('alert').getByText('The upload failed').waitFor()
    await page.unroute(second)
    await page.getByRole('button', { name: 'Try film.bin again' }).click()
    await row(page, 'film.bin').getByText('2.5 MiB').waitFor()
    assert.deepEqual(sent, ['big_segments', '00000000', '00000001', '00000001', '00000001', '00000001', '00000002', 'film.bin?multipart-manifest=put'])
    assert.equal((await made('HEAD', '/big_segments')).headers.get('x-container-object-count'), '3')
    assert.equal((await made('HEAD', '/big_segments')).headers.get('x-storage-policy'), 'cold')
    const [saved] = await Promise.all([page.waitForEvent('download'), menu(page, 'film.bin', 'Download')])
    assert.equal(saved.suggestedFilename(), 'film.bin')
    assert.ok((await readFile(await saved.path())).equals(content))
    // The tab is closed in the middle; whoever chooses the same file again sends only what is missing.
    await page.route(second, () => undefined)
    await writeFile(join(folder, 'again.bin'), content)
    await input.setInputFiles(join(folder, 'again.bin'))
    await waitFor(async () => (await (await made('GET', '/big_segments?prefix=again')).text()).includes('00000000'))
    await page.reload()
    await page.unroute(second)
    sent.length = 0
    await input.setInputFiles(join(folder, 'again.bin'))
    await row(page, 'again.bin').getByText('2.5 MiB').waitFor()
    assert.deepEqual(sent, ['big_segments', '00000001', '00000002', 'again.bin?multipart-manifest=put'])
    assert.ok(Buffer.from(await (await made('GET', '/big/again.bin')).arrayBuffer()).equals(content))
    await menu(page, 'again.bin', 'Delete')
    await dialog(page).getByRole('button', { name: 'Delete' }).click()
    await closed(page)
    // Under another name it has the same segments; then all go.
    await menu(page, 'film.bin', 'Rename or move')
    await page.getByLabel('New name').fill('films/1.bin')
    await dialog(page).getByRole('button', { name: 'Rename' }).click()
    await page.getByRole('link', { name: 'films' }).click()
    await page.getByRole('link', { name: '1.bin' }).click()
    await dialog(page).getByText('in segments').waitFor()
    assert.ok(Buffer.from(await (await made('GET', '/big/films/1.bin')).arrayBuffer()).equals(content))
    await dialog(page).getByRole('button', { name: 'Cancel' }).click()
    await closed(page)
    await menu(page, 'films/1.bin', 'Delete')
    await dialog(page).getByRole('button', { name: 'Delete' }).click()
    await page.getByText('This folder is empty').waitFor()
    assert.equal((await made('HEAD', '/big_segments')).headers.get('x-container-object-count'), '0')
    assert.deepEqual(troubles, [])
  })

  test('an upload whose session ends waits for the same person to log in again, and goes on', async () => {
    await made('PUT', '/session')
    const { page, troubles } = await openAt(inside('session'))
    await page.getByText('This container is empty').waitFor()
    const refused = (url: URL): boolean => url.pathname.endsWith('/late.txt')
    await page.route(refused, (route) => route.fulfill({ status: 401 }))
    await page.locator('input[type=file]').first().setInputFiles([{ name: 'late.txt', mimeType: 'text/plain', buffer: Buffer.from('in time') }])
    await page.getByText('Uploads and downloads (1) wait.').waitFor()
    await page.unroute(refused)
    const { username, password } = cloud.credentials.user
    await page.getByLabel('User name').fill(username)
    await page.getByRole('textbox', { name: 'Password' }).fill(password.reveal())
    await page.keyboard.press('Enter')
    await row(page, 'late.txt').waitFor()
    assert.equal(await (await made('GET', '/session/late.txt')).text(), 'in time')
    assert.deepEqual(troubles, [])
    await page.context().close()
  })

  test('names are text, whatever is in them: shown, opened, renamed, shared and deleted', async () => {
    await made('PUT', '/names')
    const names = ['<img src=x onerror=alert(1)>', '"&amp;\'<script>alert(2)<script>', ' 한글  이름.txt ', '😀👩‍👩‍👧', 'a%2Fb', 'ends/', 'up/../x', './y', '?q=1#f', 'javascript:alert(3)', '..']
    for (const name of names) if (name !== '..') await made('PUT', `/names/${encodeURIComponent(name)}`, { body: name, headers: { 'content-type': 'text/plain', 'x-object-meta-note': '<b>bold</b>' } })
    // By an archive: no address can hold this name.
    await made('PUT', '/names?extract-archive=tar', { body: tar([['..', '..']]) })
    const { page, troubles } = await goTo(inside('names'))
    for (const name of names) if (!name.includes('/') && name !== '..') await page.getByRole('link', { name, exact: true }).waitFor()
    assert.equal(await page.locator('table img, table script').count(), 0)
    for (const name of names.slice(0, 3)) {
      await page.getByRole('link', { name, exact: true }).click()
      // The whole name, and its content.
      await dialog(page).getByRole('region', { name: `Preview of ${name}` }).getByText(name, { exact: true }).waitFor()
      assert.equal(await page.getByLabel('Value 1').inputValue(), '<b>bold</b>')
      await page.keyboard.press('Escape')
      await closed(page)
    }
    for (const [above, file] of [['up', '..'], ['.', 'y']] as const) {
      await page.getByRole('link', { name: above, exact: true }).click()
      await page.getByRole('heading', { name: above, exact: true }).waitFor()
      await page.getByRole('link', { name: file, exact: true }).click()
      if (file === '..') await page.getByRole('link', { name: 'x', exact: true }).click()
      await dialog(page).getByRole('region').getByText(file === '..' ? 'up/../x' : './y', { exact: true }).waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'names' }).click()
    }
    await menu(page, 'a%2Fb', 'Rename or move')
    await page.getByLabel('New name').fill('<u>%2e%2e/../z')
    await dialog(page).getByRole('button', { name: 'Rename' }).click()
    await page.getByRole('link', { name: '<u>%2e%2e' }).waitFor()
    assert.equal(await (await made('GET', `/names/${encodeURIComponent('<u>%2e%2e/../z')}`)).text(), 'a%2Fb')
    await page.goto(`/console/projects/${inside('names', `&folder=${encodeURIComponent('up/../')}`)}`)
    await menu(page, 'up/../x', 'Share by link')
    await dialog(page).getByRole('button', { name: 'Create key and link' }).click()
    const link = await dialog(page).getByRole('textbox', { name: 'Link' }).inputValue()
    assert.equal(await (await swift('GET', link, { anyone: true })).text(), 'up/../x')
    await page.goto(`/console/projects/${inside('names')}`)
    await page.getByLabel('Choose all on this page').check()
    await page.getByRole('button', { name: /^Delete chosen/ }).click()
    await dialog(page).getByText('./ with all that is in it').waitFor()
    await dialog(page).getByRole('button', { name: 'Delete' }).click()
    await page.getByText('This container is empty').waitFor()
    assert.deepEqual(await (await made('GET', '/names?format=json')).json(), [])
    assert.deepEqual(troubles, [])
  })

  test('metadata and the end of an object are changed, and nothing else is lost by that', async () => {
    await made('PUT', '/meta')
    await made('PUT', '/meta/pic.png', { body: PIXEL, headers: { 'content-type': 'image/png', 'content-disposition': 'inline', 'x-object-meta-old': 'kept' } })
    const { page, troubles } = await goTo(inside('meta', '&object=pic.png'))
    const picture = dialog(page).getByRole('img', { name: 'Preview of pic.png' })
    await picture.waitFor()
    await waitFor(() => page.evaluate<boolean>("document.querySelector('.preview').naturalWidth === 1"))
    await page.getByRole('button', { name: 'Add metadata' }).click()
    await page.getByLabel('Name 2').fill('색')
    assert.ok(await page.getByRole('button', { name: 'Save' }).isDisabled())
    await page.getByLabel('Name 2').fill('color')
    await page.getByLabel('Value 2').fill('주황 ✓')
    await page.getByLabel('Delete it by itself').selectOption('day')
    await page.getByRole('button', { name: 'Save' }).click()
    await closed(page)
    const first = await made('HEAD', '/meta/pic.png')
    assert.equal(Buffer.from(first.headers.get('x-object-meta-color')!, 'latin1').toString(), '주황 ✓')
    assert.equal(first.headers.get('x-object-meta-old'), 'kept')
    assert.equal(first.headers.get('content-disposition'), 'inline')
    assert.ok(Math.abs(Number(first.headers.get('x-delete-at')) - Date.now() / 1000 - 86_400) < 600)
    // Once more, leaving the end as it is.
    await page.getByRole('link', { name: 'pic.png' }).click()
    assert.equal(await page.getByLabel('Value 1').inputValue(), '주황 ✓')
    await page.getByRole('button', { name: 'Remove color' }).click()
    await page.getByRole('button', { name: 'Save' }).click()
    await closed(page)
    const second = await made('HEAD', '/meta/pic.png')
    assert.deepEqual([second.headers.get('x-object-meta-color'), second.headers.get('x-object-meta-old'), second.headers.get('x-delete-at'), second.headers.get('content-type')], [null, 'kept', first.headers.get('x-delete-at'), 'image/png'])
    assert.deepEqual(troubles, [])
  })

  test('a link serves whom it was given to, until all links are ended; a copy is made in another container', async () => {
    await made('PUT', '/share')
    await made('PUT', '/copies')
    await made('PUT', '/share/doc.txt', { body: 'for you' })
    const { page, troubles } = await goTo(inside('share'))
    await menu(page, 'doc.txt', 'Share by link')
    await dialog(page).getByText('This container has no key for links yet').waitFor()
    await page.getByLabel('Valid for').selectOption('hour')
    await dialog(page).getByRole('button', { name: 'Create key and link' }).click()
    await dialog(page).getByText(/Valid until/).waitFor()
    await dialog(page).getByRole('button', { name: 'Copy to the clipboard' }).click()
    const link = await page.evaluate<string>('navigator.clipboard.readText()')
    const got = await swift('GET', link, { anyone: true })
    assert.equal(await got.text(), 'for you')
    assert.match(got.headers.get('content-disposition')!, /^attachment/)
    assert.ok(Math.abs(Number(new URL(link).searchParams.get('temp_url_expires')) - Date.now() / 1000 - 3600) < 600)
    await dialog(page).getByRole('button', { name: 'Close' }).click()
    await menu(page, 'doc.txt', 'Copy')
    await page.getByRole('combobox', { name: 'Container' }).fill('copies')
    await dialog(page).getByRole('button', { name: 'Copy' }).click()
    await closed(page)
    assert.equal(await (await made('GET', '/copies/doc.txt')).text(), 'for you')
    await menu(page, 'doc.txt', 'Copy')
    await page.getByRole('combobox', { name: 'Container' }).fill('copies')
    await dialog(page).getByRole('button', { name: 'Copy' }).click()
    await dialog(page).getByText('There is something of this name already.').waitFor()
    await page.keyboard.press('Escape')
    await closed(page)
    // Who uses the keyboard is back where they were.
    await waitFor(() => page.evaluate<boolean>("document.activeElement?.getAttribute('aria-label') === 'Actions of doc.txt'"))
    await page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'Object storage' }).click()
    await menu(page, 'share', 'Access and links')
    await page.getByRole('button', { name: 'End all links' }).click()
    await dialog(page).getByText('All links have ended.').waitFor()
    assert.equal((await swift('GET', link, { anyone: true })).status, 401)
    assert.deepEqual(troubles, [])
  })

  test('a page that is an object reads nothing of who is logged in, though it is opened in the same tab (A19)', async () => {
    await made('PUT', '/web', { headers: { 'x-container-read': '.r:*' } })
    const thief = '<!doctype html><title>ran</title><p id=stolen></p><script>try { stolen.textContent = "has " + sessionStorage.length } catch (thrown) { stolen.textContent = thrown.name }</script>'
    await made('PUT', '/web/page.html', { body: thief, headers: { 'content-type': 'text/html' } })
    const { page } = await goTo(inside('web'))
    await row(page, 'page.html').waitFor()
    await page.goto(`/v1/AUTH_${demo.project}/web/page.html`)
    await waitFor(async () => (await page.locator('#stolen').textContent()) !== '')
    assert.deepEqual([await page.title(), await page.locator('#stolen').textContent()], ['ran', 'SecurityError'])
  })

  test('a full container comes a page at a time, is looked into by beginnings of names, and is emptied', async () => {
    await made('PUT', '/many')
    const files = Array.from({ length: 130 }, (_, i): [string, string] => [`n${String(i).padStart(3, '0')}`, ''])
    await made('PUT', '/many?extract-archive=tar', { body: tar([...files, ['deep/er/x', 'x'], ['deep/y', 'y']]) })
    const { page, troubles } = await goTo(inside('many'))
    const lines = page.locator('tbody tr')
    await row(page, 'n098').waitFor()
    assert.equal(await lines.count(), 100)
    await page.getByRole('button', { name: 'Next page' }).click()
    await row(page, 'n129').waitFor()
    assert.equal(await lines.count(), 31)
    assert.ok(await page.getByRole('button', { name: 'Next page' }).isDisabled())
    await page.goBack()
    await row(page, 'n098').waitFor()
    await page.getByPlaceholder('Find in this folder').fill('n12')
    await page.keyboard.press('Enter')
    await row(page, 'n129').waitFor()
    await row(page, 'n098').waitFor({ state: 'detached' })
    assert.equal(await lines.count(), 10)
    await page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'Object storage' }).click()
    await menu(page, 'many', 'Delete container')
    await page.getByLabel('Write the name of the container').fill('many')
    await dialog(page).getByRole('button', { name: 'Delete container and objects' }).click()
    await closed(page)
    assert.equal((await swift('HEAD', '/many')).status, 404)
    await page.goBack()
    await page.getByText('There is no such container').waitFor()
    assert.deepEqual(troubles, [])
  })

  test('labels, roles and contrast hold in both languages, light and dark, on a narrow screen', async () => {
    await made('PUT', '/look')
    await made('PUT', '/look/pic.png', { body: PIXEL, headers: { 'content-type': 'image/png', 'x-object-meta-color': 'red' } })
    await made('PUT', `/look/${'long'.repeat(40)}`, { body: 'x' })
    const axe = await readFile(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
    for (const options of [{ colorScheme: 'light' }, { colorScheme: 'dark', locale: 'ko-KR', viewport: { width: 360, height: 740 } }] as const) {
      const { page, troubles } = await openAt(`${empty}/containers`, options)
      const judge = async (where: string): Promise<void> => {
        await page.evaluate(axe)
        const found = await page.evaluate<string[]>("axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`))")
        assert.deepEqual(found, [], `${where}, ${options.colorScheme}`)
        const outside = await page.evaluate<string[]>("[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1).map(({ outerHTML }) => outerHTML.slice(0, 200))")
        assert.deepEqual(outside, [], `${where} is wider than the screen`)
      }
      const [none, size, upload, details, exists] = options.colorScheme === 'dark' ? ['아직 컨테이너가 없습니다', '1 B', '파일 업로드', '메타데이터', '이미 있음'] : ['No containers yet', '1 B', 'Upload files', 'Metadata', 'Exists already']
      await page.getByText(none).waitFor()
      await judge('no containers')
      await page.goto(`/console/projects/${demo.project}/containers`)
      await page.getByRole('link', { name: 'look' }).waitFor()
      await judge('containers')
      await page.getByRole('link', { name: 'look' }).click()
      await page.getByText(size, { exact: true }).waitFor()
      await page.getByRole('button', { name: upload }).waitFor()
      await page.locator('input[type=file]').first().setInputFiles([{ name: 'pic.png', mimeType: 'image/png', buffer: PIXEL }])
      await page.getByText(exists, { exact: true }).waitFor()
      await judge('objects and transfers')
      await page.getByRole('link', { name: 'pic.png' }).click()
      await dialog(page).getByText(details, { exact: true }).waitFor()
      await dialog(page).getByRole('img').first().waitFor()
      await judge('details')
      assert.deepEqual(troubles, [])
      await page.context().close()
    }
  })
})

async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.fail(`${holds} never held`)
}

/** One red dot. */
const PIXEL = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==', 'base64')

function tar(files: readonly (readonly [name: string, content: string])[]): Buffer {
  const blocks: Buffer[] = []
  for (const [name, content] of files) {
    const head = Buffer.alloc(512)
    head.write(name, 0)
    head.write('0000644\0', 100)
    head.write('0000000\0'.repeat(2), 108)
    head.write(`${Buffer.byteLength(content).toString(8).padStart(11, '0')}\0`, 124)
    head.write('00000000000\0', 136)
    head.write('        0', 148)
    head.write('ustar\x0000', 257)
    head.write(`${head.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148)
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(content) / 512) * 512)
    body.write(content)
    blocks.push(head, body)
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}
