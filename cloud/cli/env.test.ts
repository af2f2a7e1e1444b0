/** What `ondol env` prints is taken by a shell as it was meant. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'

test('clients with and without clouds.yaml find the cloud', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ondol-env-'))
  try {
    const cloud = (username: string): object => ({ auth: { auth_url: 'http://127.0.0.1:5000/identity/v3', username, password: `it's "$HOME" \\ 비밀`, project_name: username }, region_name: 'RegionOne', interface: 'public', identity_api_version: 3 })
    writeFileSync(join(dir, 'clouds.yaml'), stringify({ clouds: { ondol: cloud('demo'), 'ondol-admin': cloud('admin') } }))
    const shown = (...args: string[]): Record<string, string> => {
      const lines = execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', new URL('main.ts', import.meta.url).pathname, 'env', '--data', dir, ...args], { encoding: 'utf8' })
      const text = execFileSync('sh', ['-c', `OS_CLOUD=other; export OS_CLOUD\n${lines}\nenv -0`], { encoding: 'utf8', env: { PATH: process.env.PATH ?? '' } })
      return Object.fromEntries(text.split('\0').filter((line) => line.startsWith('OS_')).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
    }
    assert.deepEqual(shown('--admin'), { OS_CLIENT_CONFIG_FILE: join(dir, 'clouds.yaml'), OS_CLOUD: 'ondol-admin' })
    assert.deepEqual(shown('--openrc'), {
      OS_AUTH_URL: 'http://127.0.0.1:5000/identity/v3', OS_USERNAME: 'demo', OS_PASSWORD: `it's "$HOME" \\ 비밀`, OS_PROJECT_NAME: 'demo', OS_REGION_NAME: 'RegionOne', OS_INTERFACE: 'public',
      OS_IDENTITY_API_VERSION: '3', OS_AUTH_VERSION: '3',
    })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
