/** Assertions that xmlsec, which most providers of SAML encrypt with, has encrypted. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '#base/process/run.ts'
import type { SamlProvider } from '../core/saml/settings.ts'
import { signedAssertion } from '../core/saml/signature.ts'
import { NS, tag } from '../core/saml/xml.ts'
import { selfSigned } from './certificate.ts'
import { samlProviderKit } from './saml-provider.ts'

const skip = spawnSync('xmlsec1', ['--version']).error ? 'xmlsec1 is not installed' : false

test('what xmlsec has encrypted is opened', { skip }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-xmlsec-'))
  try {
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(dir, name), text, { mode: 0o600 })
      return join(dir, name)
    }
    const idp = samlProviderKit(() => Date.now(), 'https://cloud.example/acs', 'https://cloud.example/sp')
    const own = selfSigned('cloud')
    const response = await file('response.xml', idp.response({ attributes: { uid: ['jané'] } }))
    const certificate = await file('cloud.crt', own.certificate)
    const ways = [
      ['http://www.w3.org/2009/xmlenc11#aes256-gcm', 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p', 'aes-256'],
      ['http://www.w3.org/2009/xmlenc11#aes128-gcm', 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p', 'aes-128'],
      ['http://www.w3.org/2001/04/xmlenc#aes256-cbc', 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p', 'aes-256'],
    ] as const
    for (const [data, key, session] of ways) {
      const value = tag('xenc:CipherData', {}, tag('xenc:CipherValue', {}))
      const info = tag('ds:KeyInfo', { 'xmlns:ds': NS.signature }, tag('xenc:EncryptedKey', {}, tag('xenc:EncryptionMethod', { Algorithm: key }) + value))
      const template = await file('template.xml', tag('xenc:EncryptedData', { 'xmlns:xenc': NS.encryption, Type: 'http://www.w3.org/2001/04/xmlenc#Element' }, tag('xenc:EncryptionMethod', { Algorithm: data }) + info + value))
      const { stdout } = await run('xmlsec1', ['--encrypt', '--pubkey-cert-pem', certificate, '--session-key', session, '--xml-data', response, '--node-xpath', "//*[local-name()='Assertion']", template])
      const shown = stdout.replace(/<xenc:EncryptedData[^]*<\/xenc:EncryptedData>/, (inner) => tag('saml:EncryptedAssertion', { 'xmlns:saml': NS.assertion }, inner))
      const provider: SamlProvider = { idp_id: 'x', protocol_id: 'saml2', entity_id: idp.entity_id, sso_url: undefined, certificates: [idp.certificate], keystone: false, accept_sha1: false, sign_requests: false, accept_cbc: true, encrypted: true }
      const { assertion } = signedAssertion(shown, provider, { key: own.key, random: randomBytes })
      assert.match(JSON.stringify(assertion.children.map((one) => one.children)), /jané/, data)
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
