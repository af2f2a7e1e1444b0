/** A domain whose people are in a real OpenLDAP: they log in, hold roles by their groups, and end with what the directory says. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Daemon, findTool, freePorts, privateDir, runOnce, startDaemon, unprivileged } from '#base/test/daemon.ts'
import { ldapDirectory } from '../drivers/ldap.ts'
import { keystoneKit } from './kit.ts'

const BASE = 'dc=example,dc=org'
const person = (name: string, password: string) => `dn: uid=${name},ou=Users,${BASE}\nobjectClass: inetOrgPerson\nuid: ${name}\ncn: ${name}\nsn: ${name}\nmail: ${name}@example.org\nuserPassword: ${password}\n`
const TREE = `dn: ${BASE}\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n
dn: ou=Users,${BASE}\nobjectClass: organizationalUnit\nou: Users\n
dn: ou=Groups,${BASE}\nobjectClass: organizationalUnit\nou: Groups\n
${person('carol', 'carol-secret')}
${person('dave', 'dave-secret')}
dn: cn=crew,ou=Groups,${BASE}\nobjectClass: groupOfNames\ncn: crew\ndescription: the crew\nmember: uid=carol,ou=Users,${BASE}\n`

let daemon: Daemon | undefined
let remove: (() => Promise<void>) | undefined
let change: (ldif: string) => Promise<void>
let ldap: Record<string, unknown>

before(async () => {
  const [slapd, slapadd, modify] = ['slapd', 'slapadd', 'ldapmodify'].map((tool) => findTool(tool))
  if (!slapd || !slapadd || !modify) return
  const user = unprivileged('openldap')
  const made = await privateDir('ondol-slapd-', user)
  remove = made.remove
  const { dir } = made
  const [port = 0] = await freePorts(1)
  await runOnce('mkdir', [join(dir, 'db')], user)
  const conf = join(dir, 'slapd.conf')
  await writeFile(
    conf,
    `${['core', 'cosine', 'inetorgperson'].map((schema) => `include /etc/ldap/schema/${schema}.schema`).join('\n')}\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile ${dir}/pid\nargsfile ${dir}/args\ndatabase mdb\nmaxsize 16777216\nsuffix "${BASE}"\nrootdn "cn=root,${BASE}"\nrootpw root-secret\ndirectory ${dir}/db\naccess to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n`,
    { mode: 0o644 },
  )
  await writeFile(join(dir, 'tree.ldif'), TREE, { mode: 0o644 })
  await runOnce(slapadd, ['-f', conf, '-l', join(dir, 'tree.ldif')], user)
  const url = `ldap://127.0.0.1:${port}`
  ldap = { url, suffix: BASE, user: `cn=root,${BASE}`, password: 'root-secret', user_tree_dn: `ou=Users,${BASE}`, user_id_attribute: 'uid', user_name_attribute: 'uid', group_tree_dn: `ou=Groups,${BASE}`, group_name_attribute: 'cn', page_size: 1 }
  daemon = await startDaemon({ tool: slapd, args: ['-f', conf, '-h', url, '-d', '0'], user, dir, ready: () => ldapDirectory(ldap).users() })
  let serial = 0
  change = async (ldif) => {
    const file = join(dir, `change-${++serial}.ldif`)
    await writeFile(file, ldif, { mode: 0o644 })
    await runOnce(modify, ['-x', '-H', url, '-D', `cn=root,${BASE}`, '-w', 'root-secret', '-f', file], user)
  }
})
after(async () => {
  await daemon?.stop()
  await remove?.()
})

for (const by of ['the configuration file', 'the API of domain configuration'] as const) {
  test(`people of a directory are users of a domain, by ${by}`, { timeout: 60_000 }, async (t) => {
    if (!daemon) return t.skip('slapd is not installed')
    const k = await keystoneKit(by === 'the configuration file' ? { domains: { People: { identity: { driver: 'ldap' }, ldap } } } : { domain_configurations_from_database: true })
    try {
      const admin = await k.admin()
      const ask = async (method: string, path: string, status: number, body?: object) => {
        const answer = await k.ask(method, path, { token: admin, ...(body ? { body } : {}) })
        assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`)
        return answer.json
      }
      const { domain } = await ask('POST', '/v3/domains', 201, { domain: { name: 'People' } })
      if (by !== 'the configuration file') {
        const { config } = await ask('PUT', `/v3/domains/${domain.id}/config`, 201, { config: { identity: { driver: 'ldap' }, ldap } })
        assert.equal(config.ldap.password, undefined, 'the password is never shown')
      }
      const { project } = await ask('POST', '/v3/projects', 201, { project: { name: 'ship', domain_id: domain.id } })
      const login = (name: string, password: string, scope: object | undefined = { project: { id: project.id } }) =>
        k.ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['password'], password: { user: { name, domain: { id: domain.id }, password } } }, ...(scope ? { scope } : {}) } } })
      // The configuration is looked at again within a second.
      for (let i = 0; (await k.ask('GET', `/v3/users?domain_id=${domain.id}`, { token: admin })).json.users.length === 0; i++) {
        assert.ok(i < 60, 'the directory never shows')
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      const { users } = await ask('GET', `/v3/users?domain_id=${domain.id}`, 200)
      assert.deepEqual(users.map((one: { name: string }) => one.name).sort(), ['carol', 'dave'])
      const { groups } = await ask('GET', `/v3/groups?domain_id=${domain.id}`, 200)
      assert.equal(groups[0].name, 'crew')
      const { roles } = await ask('GET', '/v3/roles?name=member', 200)
      await ask('PUT', `/v3/projects/${project.id}/groups/${groups[0].id}/roles/${roles[0].id}`, 204)

      const there = await login('carol', 'carol-secret')
      assert.equal(there.status, 201, there.text)
      assert.equal(there.json.token.user.id, users.find((one: { name: string }) => one.name === 'carol').id)
      for (const [name, password] of [['carol', 'wrong'], ['carol', ''], ['nobody', 'x'], ['*', 'carol-secret'], ['carol)(uid=*', 'carol-secret']] as const) {
        assert.equal((await login(name, password)).status, 401, `${name} ${password}`)
      }
      assert.equal((await login('dave', 'dave-secret')).status, 401, 'no role there')
      await ask('PATCH', `/v3/users/${users[0].id}`, 403, { user: { description: 'x' } })
      await ask('POST', '/v3/users', 403, { user: { name: 'eve', domain_id: domain.id } })
      await ask('DELETE', `/v3/groups/${groups[0].id}`, 403)

      const token = String(there.headers['x-subject-token'])
      await change(`dn: cn=crew,ou=Groups,${BASE}\nchangetype: modify\nreplace: member\nmember: uid=dave,ou=Users,${BASE}\n`)
      assert.equal((await login('dave', 'dave-secret')).status, 201, 'is in the group now')
      assert.equal((await login('carol', 'carol-secret')).status, 401, 'is in it no more')
      assert.equal((await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': token } })).status, 404, 'and the token has ended')
    } finally {
      await change(`dn: cn=crew,ou=Groups,${BASE}\nchangetype: modify\nreplace: member\nmember: uid=carol,ou=Users,${BASE}\n`)
      await k.close()
    }
  })
}
