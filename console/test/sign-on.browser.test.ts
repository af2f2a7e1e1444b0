/** Logins at the dashboard by an identity provider, in a real browser. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { buildConsole } from '../../cloud/console-build.ts'
import { type Cloud, startCloud } from '../../cloud/start-cloud.ts'
import { totpCode } from '../../services/keystone/core/totp.ts'
import { type OpenidProviderKit, openidProviderKit } from '../../services/keystone/test/openid-provider.ts'
import { openPage } from './browser.ts'
import { logIn, type Person } from './people.ts'

describe('sign-on', () => {
  let cloud: Cloud
  let provider: OpenidProviderKit
  let admin: Person
  before(async () => {
    await buildConsole({ env: process.env })
    provider = await openidProviderKit()
    cloud = await startCloud({ port: 0, drivers: 'fake', config: { 'keystone.federation.openid': { corp: { issuer: provider.url, client_id: provider.client.id, client_secret: provider.client.secret } } } })
    admin = await logIn(cloud, 'admin')
    const at = (path: string): string => `/identity/v3/OS-FEDERATION/${path}`
    const { group } = await admin.ask<{ group: { id: string } }>('POST', '/identity/v3/groups', { group: { name: 'staff' } })
    const { roles } = await admin.ask<{ roles: { id: string }[] }>('GET', '/identity/v3/roles?name=member')
    await admin.ask('PUT', `/identity/v3/projects/${(await logIn(cloud, 'user')).project}/groups/${group.id}/roles/${roles[0]!.id}`)
    await admin.ask('PUT', at('mappings/corp'), { mapping: { rules: [{ local: [{ user: { name: '{0}' } }, { group: { id: group.id } }], remote: [{ type: 'OIDC-preferred_username' }] }] } })
    await admin.ask('PUT', at('identity_providers/corp'), { identity_provider: { enabled: true, description: 'Heating & <b>Co</b>', remote_ids: [provider.url] } })
    await admin.ask('PUT', at('identity_providers/corp/protocols/openid'), { protocol: { mapping_id: 'corp' } })
  })
  after(async () => {
    await cloud?.close()
    await provider?.close()
  })

  test('who logs in by a provider comes back where they wanted to go, with a token in no address', async () => {
    provider.claims = { preferred_username: 'jane' }
    const { page, troubles } = await openPage(cloud.url)
    const addresses: string[] = []
    page.on('request', (request) => addresses.push(request.url()))
    // By a name to which nobody is sent back.
    await page.goto(`${cloud.url.replace('127.0.0.1', 'localhost')}/console/login?next=%2Fconsole%2F%3Fhere`)
    await page.getByRole('button', { name: 'Log in with Heating & <b>Co</b>' }).click()
    await page.waitForURL(`${cloud.url}/console/login?next=%2Fconsole%2F%3Fhere`)
    await page.getByRole('button', { name: 'Log in with Heating & <b>Co</b>' }).click()
    await page.getByRole('button', { name: 'Account of jane' }).waitFor()
    await page.waitForURL('**/console/projects/*/**')
    const { token } = JSON.parse((await page.evaluate(() => sessionStorage.getItem('ondol.session')))!) as { token: string }
    assert.deepEqual(addresses.filter((one) => one.includes(token)), [])
    assert.ok(!(await page.content()).includes(token))
    assert.deepEqual((await page.context().storageState()).cookies, [])
    // The way back leads to no second login.
    await page.reload()
    await page.getByRole('button', { name: 'Account of jane' }).waitFor()
    assert.deepEqual(troubles, [])
    await page.context().close()
  })

  test('a token that nobody went out for here is not taken: no stranger logs one in as somebody else', async () => {
    const { page, troubles } = await openPage(cloud.url)
    await page.route('**/trap', (route) => route.fulfill({ contentType: 'text/html', body: `<form method=post action="${cloud.url}/console/websso"><input name=token value=gAAAAAstranger><input type=submit></form>` }))
    await page.goto('http://127.0.0.1:9/trap')
    await page.locator('[type=submit]').click()
    await page.getByText('The login did not come to its end in this tab.').waitFor()
    assert.equal(await page.evaluate(() => sessionStorage.getItem('ondol.session')), null)
    await page.getByRole('button', { name: 'To the login' }).click()
    await page.getByLabel('User name').waitFor()
    assert.deepEqual(troubles, [])
    await page.context().close()
  })

  test('a second factor is asked for, and a wrong code is said', async () => {
    const { user } = await admin.ask<{ user: { id: string } }>('POST', '/identity/v3/users', { user: { name: 'careful', password: 'first factor', options: { multi_factor_auth_enabled: true, multi_factor_auth_rules: [['password', 'totp']] } } })
    await admin.ask('POST', '/identity/v3/credentials', { credential: { type: 'totp', user_id: user.id, blob: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ' } })
    const { page, troubles } = await openPage(cloud.url)
    await page.goto('/console/login')
    await page.getByLabel('User name').fill('careful')
    await page.getByRole('textbox', { name: 'Password' }).fill('first factor')
    await page.keyboard.press('Enter')
    await page.getByText('The password is right.').waitFor()
    await page.getByLabel('Code').fill('000')
    await page.keyboard.press('Enter')
    await page.getByText('The code is wrong or too old.').waitFor()
    await page.getByLabel('Code').fill(totpCode('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', Date.now()))
    await page.keyboard.press('Enter')
    await page.getByText('You have no project yet').waitFor()
    assert.deepEqual(troubles, [])
    await page.context().close()
  })

  test('a provider that is switched off is not offered', async () => {
    await admin.ask('PATCH', '/identity/v3/OS-FEDERATION/identity_providers/corp', { identity_provider: { enabled: false } })
    const { page } = await openPage(cloud.url)
    const offered = page.waitForResponse('**/console/settings.json')
    await page.goto('/console/login')
    assert.deepEqual(((await (await offered).json()) as { sign_on: unknown }).sign_on, [])
    await page.context().close()
  })
})
