/** Who is let in by a signature, an ACL or a form, and how far: temporary URLs, forms, links and names that say more than they should. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, test } from 'node:test'
import { grantedTo } from '../core/acl.ts'
import { A, swiftKit, tempUrl } from './kit.ts'

const kit = await swiftKit()
after(() => kit.close())
const { ask } = kit
const B = '/v1/AUTH_project-b'
const soon = Math.floor(Date.now() / 1000) + 300
for (const box of ['box', 'secret', 'old']) await ask('PUT', `${A}/${box}`)
for (const name of ['box/o', 'box/dir/o', 'box/dir2/o', 'secret/o']) await ask('PUT', `${A}/${name}`, { body: name })
await ask('POST', A, { headers: { 'x-account-meta-temp-url-key': 'account' } })
await ask('POST', `${A}/box`, { headers: { 'x-container-meta-temp-url-key': 'container' } })
const visit = (method: string, path: string, query: string, options: { headers?: Record<string, string>; body?: string } = {}) => ask(method, `${path}?${query}`, { as: 'nobody', ...options })

test('a prefix is where a name begins, whatever is written behind it', async () => {
  const signed = (key: string, prefix: string): string => {
    const sig = createHmac('sha256', key).update(`GET\n${soon}\nprefix:${A}/box/${prefix}`).digest('hex')
    return `temp_url_sig=${sig}&temp_url_expires=${soon}&temp_url_prefix=${encodeURIComponent(prefix)}`
  }
  assert.equal((await visit('GET', `${A}/box/dir/o`, signed('container', 'dir/'))).text, 'box/dir/o')
  for (const path of [`${A}/box/o`, `${A}/box/dir2/o`, `${A}/secret/o`, `${A}/box/dir/../o`, `${A}/box/dir/../../secret/o`, `${A}/box/dir%2f..%2fo`, `${A}/box%2fdir/o`, `${A}/box/%64ir/../o`, `${A}/box`, `${A}/box/dir`]) {
    const answer = await visit('GET', path, signed('container', 'dir/'))
    // The same name in another spelling is the same name.
    assert.ok([401, 404, 412].includes(answer.status) || answer.text === 'box/dir/o', `${path} ${answer.status}`)
    assert.ok(!/secret|^box\/(o|dir2)/.test(answer.text), path)
  }
  // One prefix is not another, and without it the signature is for nothing.
  assert.equal((await visit('GET', `${A}/box/dir2/o`, signed('container', 'dir/').replace('dir%2F', 'dir'))).status, 401)
  assert.equal((await visit('GET', `${A}/box/dir/o`, signed('container', 'dir/').replace(/&temp_url_prefix.*/, ''))).status, 401)
  // A prefix that is itself a path up is a name like any other.
  assert.equal((await visit('GET', `${A}/box/../secret/o`, signed('container', '../secret/'))).status, 404)
})

test('a signature is for its method: HEAD alone comes with others', async () => {
  const methods = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']
  for (const made of methods) {
    const query = tempUrl('container', made, `${A}/box/dir2/o`, soon)
    for (const used of [...methods, 'COPY', 'PATCH']) {
      const fits = used === made || (used === 'HEAD' && ['GET', 'PUT', 'POST'].includes(made))
      if (fits) continue
      const answer = await visit(used, `${A}/box/dir2/o`, query, { headers: { destination: 'box/x', 'x-http-method-override': made }, body: used === 'PUT' ? 'evil' : '' })
      assert.ok([401, 405].includes(answer.status), `${made} used for ${used}: ${answer.status}`)
    }
  }
  assert.equal((await ask('GET', `${A}/box/dir2/o`)).text, 'box/dir2/o')
})

test('what stands for something else leads no further than the key reaches', async () => {
  const put = (name: string, headers: Record<string, string>, query = '', body = '') => ask('PUT', `${A}/box/${name}${query}`, { body, headers: { 'content-length': String(body.length), ...headers } })
  await put('link', { 'x-symlink-target': 'secret/o' })
  await put('dlo', { 'x-object-manifest': 'secret/o' })
  await put('slo', {}, '?multipart-manifest=put', JSON.stringify([{ path: '/secret/o' }]))
  for (const name of ['link', 'dlo', 'slo']) {
    const answer = await visit('GET', `${A}/box/${name}`, tempUrl('container', 'GET', `${A}/box/${name}`, soon)).catch(() => ({ status: 409, text: '' }))
    assert.ok(answer.status >= 400, `${name} ${answer.status}`)
    assert.ok(!answer.text.includes('secret/o'), name)
    // The account's key reaches all of its containers.
    assert.equal((await visit('GET', `${A}/box/${name}`, tempUrl('account', 'GET', `${A}/box/${name}`, soon))).text, 'secret/o')
  }
  // Across accounts neither leads anywhere.
  await ask('PUT', `${B}/theirs`, { as: 'member@project-b' })
  await ask('PUT', `${B}/theirs/o`, { as: 'member@project-b', body: 'theirs' })
  await put('far', { 'x-symlink-target': 'theirs/o', 'x-symlink-target-account': 'AUTH_project-b' })
  for (const key of ['account', 'container']) assert.ok((await visit('GET', `${A}/box/far`, tempUrl(key, 'GET', `${A}/box/far`, soon))).status >= 400)
  // Links that lead to each other end.
  await put('one', { 'x-symlink-target': 'box/two' })
  await put('two', { 'x-symlink-target': 'box/one' })
  assert.equal((await ask('GET', `${A}/box/one`)).status, 409)
  assert.equal((await ask('COPY', `${A}/box/one`, { headers: { destination: 'box/three' } })).status, 409)
})

test('instants, addresses and names of downloads are what they are', async () => {
  const path = `${A}/box/o`
  for (const expires of ['1e99', '-1', '99999999999999999999', '0x7fffffff', 'NaN', '', ' 1', '1;2', '2026-99-99T00:00:00Z']) {
    const sig = createHmac('sha256', 'container').update(`GET\n${expires}\n${path}`).digest('hex')
    assert.equal((await visit('GET', path, `temp_url_sig=${sig}&temp_url_expires=${encodeURIComponent(expires)}`)).status, 401, expires)
  }
  const far = 999_999_999_999_999
  const distant = await visit('GET', path, tempUrl('container', 'GET', path, far))
  assert.ok(distant.status === 200 || distant.status === 401)
  assert.doesNotMatch(String(distant.headers.expires), /Invalid/)
  for (const range of ['0.0.0.0/0', '::/0', '127.0.0.1', '999.1.1.1', '1.2.3.4/99', '/']) {
    const sig = createHmac('sha256', 'container').update(`ip=${range}\nGET\n${soon}\n${path}`).digest('hex')
    // The kit's address is no address.
    assert.equal((await visit('GET', path, `temp_url_sig=${sig}&temp_url_expires=${soon}&temp_url_ip_range=${encodeURIComponent(range)}`, { headers: { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1' } })).status, 401, range)
  }
  for (const filename of ['a"; evil="x', 'a\r\nset-cookie: x', '../../etc/passwd', '\u2028', 'ü', 'a\0b', '"'.repeat(3000)]) {
    for (const inline of ['', '&inline']) {
      const answer = await visit('GET', path, `${tempUrl('container', 'GET', path, soon)}&filename=${encodeURIComponent(filename)}${inline}`)
      assert.ok(answer.status === 200 || answer.status === 400 || answer.status === 401, filename)
      const said = String(answer.headers['content-disposition'] ?? '')
      // oxlint-disable-next-line no-control-regex
      assert.doesNotMatch(said, /[\x00-\x1f\x7f]/, filename)
      assert.ok((said.match(/"/g) ?? []).length <= 2, said)
    }
  }
})

test('a form leads only where its signature says, and takes no more than that', async () => {
  const boundary = 'x-form'
  // `sign`: what the signature is made of; null: there is none.
  const form = (fields: Record<string, string>, files: [string, string][], sign: Record<string, string> | null = fields, path = `${A}/box/up-`): string => {
    const signature = sign && createHmac('sha256', 'container').update(`${path}\n${sign.redirect ?? ''}\n${sign.max_file_size}\n${sign.max_file_count}\n${sign.expires}`).digest('hex')
    const parts = [...Object.entries({ ...fields, ...(signature ? { signature } : {}) }).map(([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`), ...files.map(([name, text], i) => `--${boundary}\r\nContent-Disposition: form-data; name="file${i}"; filename="${name}"\r\n\r\n${text}\r\n`)]
    return `${parts.join('')}--${boundary}--\r\n`
  }
  const fields = { redirect: '', max_file_size: '100', max_file_count: '2', expires: String(soon) }
  const send = (body: string, path = `${A}/box/up-`) => ask('POST', path, { as: 'nobody', body, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } })
  assert.equal((await send(form(fields, [['a', '1'], ['b', '2']]))).status, 201)
  assert.equal((await ask('GET', `${A}/box/up-b`)).text, '2')
  // One more than was signed for; one too long; another place; another limit; an upload that climbs.
  assert.equal((await send(form(fields, [['c', '1'], ['d', '2'], ['e', '3']]))).status, 400)
  assert.equal((await ask('GET', `${A}/box/up-e`)).status, 404)
  assert.equal((await send(form(fields, [['long', 'x'.repeat(101)]]))).status, 400)
  assert.equal((await ask('GET', `${A}/box/up-long`)).status, 404)
  assert.equal((await send(form(fields, [['a', 'evil']]), `${A}/box/`)).status, 401)
  assert.equal((await send(form(fields, [['a', 'evil']]), `${A}/secret/up-`)).status, 401)
  assert.equal((await send(form({ ...fields, max_file_count: '9' }, [['a', 'evil']], fields))).status, 401)
  assert.equal((await send(form({ ...fields, max_file_size: '999' }, [['a', 'evil']], fields))).status, 401)
  assert.equal((await send(form({ ...fields, expires: '1' }, [['a', 'evil']]))).status, 401)
  assert.equal((await send(form(fields, [['../../secret/o', 'evil']]))).status, 201)
  assert.equal((await ask('GET', `${A}/secret/o`)).text, 'secret/o')
  // A redirect that nobody signed leads nowhere, whatever else is wrong.
  for (const body of [form({ ...fields, redirect: 'https://evil.example/' }, [], null), form({ ...fields, redirect: 'https://evil.example/', max_file_count: '0' }, [['a', 'x']], null), form({ redirect: 'https://evil.example/' } as never, [['a', 'x']], null)]) {
    const answer = await send(body)
    assert.equal(answer.headers.location, undefined)
    assert.ok(answer.status >= 400 && answer.status < 500)
  }
  const good = await send(form({ ...fields, redirect: 'https://good.example/done' }, [['f', 'x']]))
  assert.deepEqual([good.status, String(good.headers.location).startsWith('https://good.example/done?status=201')], [303, true])
  for (const redirect of ['javascript:alert(1)', 'https://x/\r\nset-cookie: y', '//evil.example', 'data:text/html,x']) {
    const answer = await send(form({ ...fields, redirect }, [['g', 'x']]))
    assert.equal(answer.headers.location, undefined, redirect)
    assert.ok(answer.status < 500)
  }
  // Fields without end.
  assert.equal((await send(form(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`f${i}`, ''])), [['a', 'x']], null))).status, 400)
})

test('words of ACLs open to those whom they name', async () => {
  for (const [value, status] of [['.r:*', 400], ['..r:*', 400], ['.r:', 400], ['.ref:evil', 400], ['.x:*', 400], ['*:*', 204]] as const) assert.equal((await ask('POST', `${A}/old`, { headers: { 'x-container-write': value } })).status, status, value)
  await ask('POST', `${A}/old`, { headers: { 'x-container-write': '' } })
  const read = async (acl: string, options: { as?: string; headers?: Record<string, string>; path?: string } = {}): Promise<number> => {
    assert.equal((await ask('POST', `${A}/old`, { headers: { 'x-container-read': acl } })).status, 204)
    return (await ask('GET', `${A}/old${options.path ?? '/o'}`, { as: options.as ?? 'nobody', ...(options.headers ? { headers: options.headers } : {}) })).status
  }
  await ask('PUT', `${A}/old/o`, { body: 'x' })
  const from = (referer: string): { headers: Record<string, string> } => ({ headers: { referer } })
  assert.equal(await read('.rlistings', { path: '' }), 401, 'listings without a referrer')
  assert.equal(await read('.r:*', { path: '' }), 401)
  assert.equal(await read('.r:*,.rlistings', { path: '' }), 200)
  assert.equal(await read('.r:*,.r:-evil.example', from('http://evil.example/x')), 401)
  assert.equal(await read('.r:*,.r:-.evil.example', from('http://a.evil.example')), 401)
  assert.equal(await read('.r:.good.example', from('http://a.good.example:8080/x')), 200)
  for (const referer of ['http://good.example.evil/', 'http://evilgood.example/', 'http://x@evil/good.example', 'http://evil/#.good.example', 'http://evil\\.good.example', 'good.example', '.good.example', 'javascript://a.good.example', 'http://evil?.good.example']) {
    const status = await read('.r:.good.example', from(referer))
    if (referer.startsWith('javascript:')) assert.ok([200, 401].includes(status))
    else assert.equal(status, 401, referer)
  }
  for (const acl of ['project-b', 'project-b:', ':member', 'PROJECT-B:*', 'project-b :*', 'project-\u0062\u200b:*', 'project-\uff42:*', '*', 'AUTH_project-b:*', 'project-b*:*', 'project-?:*', '.project-b:*']) {
    const posted = await ask('POST', `${A}/old`, { headers: { 'x-container-read': Buffer.from(acl).toString('latin1') } })
    if (posted.status === 400) continue
    assert.equal((await ask('GET', `${A}/old/o`, { as: 'member@project-b' })).status, 403, acl)
  }
  assert.equal(await read('project-b:*', { as: 'member@project-b' }), 200)
  // A project or a user that is named like another's id is not that one.
  const id = 'a'.repeat(32)
  const who = (more: object) => ({ roles: [], byName: true, ...more })
  assert.equal(grantedTo([`${id}:*`], who({ project_id: 'x', project_name: id, user_id: 'u', user_name: 'n' })), false)
  assert.equal(grantedTo([`x:${id}`], who({ project_id: 'x', project_name: 'p', user_id: 'u', user_name: id })), false)
  assert.equal(grantedTo([`${id}:*`], who({ project_id: id, project_name: 'p', user_id: 'u', user_name: 'n' })), true)
  assert.equal(grantedTo(['*:n'], who({ project_id: 'x', project_name: '*', user_id: 'u', user_name: 'm' })), false)
})

test('no other spelling of an account is that account', async () => {
  for (const account of ['AUTH_project-A', 'auth_project-a', 'AUTH_%70roject-a/../AUTH_project-b', 'AUTH_AUTH_project-a', '%41UTH_project-a%00', 'AUTH_project-a%20', 'AUTH_project-a%2fbox', 'project-a', 'KEY_project-a', '.AUTH_project-a', 'AUTH_project-a.']) {
    const answer = await ask('GET', `/v1/${account}/box/o`, { as: 'member@project-b' })
    assert.ok([401, 403, 404, 412].includes(answer.status), `${account} ${answer.status}`)
    const own = await ask('GET', `/v1/${account}/box/o`)
    assert.ok(own.status !== 200, `${account} ${own.status}`)
  }
})

test('a name with a NUL is refused wherever names come from, and no such text reaches the database', async () => {
  const put = (headers: Record<string, string>, path = `${A}/box/nul`) => ask('PUT', path, { body: '', headers: { 'content-length': '0', ...headers } })
  const answers = [
    await put({ 'x-symlink-target': 'box/a%00b' }), await put({ 'x-object-manifest': 'box/a%00b' }), await put({ 'x-copy-from': '/box/a%00b' }), await put({ 'x-copy-from': '/box/o', 'x-copy-from-account': 'AUTH_%00' }), await put({ 'x-versions-location': 'a%00b' }, `${A}/old`),
    await ask('COPY', `${A}/box/o`, { headers: { destination: 'box/a%00b' } }),
    await ask('PUT', `${A}/box/m?multipart-manifest=put`, { body: JSON.stringify([{ path: '/box/a\0b' }]) }),
  ]
  for (const [i, answer] of answers.entries()) assert.ok(answer.status >= 400 && answer.status < 500, `${i}: ${answer.status}`)
  // What may be asked for in a list is no name: nothing has it, and it stands between those that are there.
  const names = async (query: string): Promise<string[]> => (await ask('GET', `${A}/box?${query}`)).text.split('\n').filter((one) => one !== '')
  const all = await names('')
  assert.deepEqual([await names('prefix=a%00'), await names('delimiter=%00'), await names('path=%00')], [[], all, []])
  assert.deepEqual(await names('marker=o%00x'), all.filter((one) => one > 'o'))
  assert.deepEqual(await names('end_marker=o%00'), all.filter((one) => one <= 'o'))
  assert.deepEqual(await names('reverse=true&marker=o%00'), all.filter((one) => one <= 'o').reverse())
  for (const name of ['prefix', 'marker', 'end_marker', 'delimiter']) assert.ok((await ask('GET', `${A}?${name}=a%00`)).status < 300)
  const bulk = await ask('POST', `${A}?bulk-delete`, { body: 'box/a%00b\nbo%00x/o\n', headers: { 'content-type': 'text/plain', accept: 'application/json' } })
  assert.deepEqual([bulk.json['Number Deleted'], bulk.json.Errors.length], [0, 2])
  assert.equal((await ask('GET', `${A}/box/o`)).text, 'box/o')
})
