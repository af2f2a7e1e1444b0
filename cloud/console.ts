/**
 * The dashboard's files at `/console`. Names below `assets/` hold a hash of their content and are kept by browsers for ever; everything else
 * is asked for again with its ETag. A path that is no file is a page of the dashboard, which its own router shows.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { HttpHandler, HttpHeaders, HttpRequest, HttpResponse } from '#base/http/message.ts'

export type ConsoleState = { kind: 'built' } | { kind: 'building' } | { kind: 'failed'; why: string } | { kind: 'absent' }

export interface ConsoleOptions {
  /** Folder of the built dashboard; it may come, go and be replaced while this runs. */
  dist: string
  /** Why the folder is not there. */
  state: () => ConsoleState
}

interface SiteFile {
  etag: string
  type: string
  immutable: boolean
  plain: Buffer
  /** Made at the first wish. */
  packed: Map<'br' | 'gzip', Promise<Buffer>>
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
}

/**
 * Nothing but our own files runs or is styled, nothing is sent elsewhere, nobody frames these pages. `data:` images are noVNC's mouse pointers
 * and PatternFly's backgrounds. Neither React nor PatternFly needs inline styles in the markup: they set them by script, which this allows.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
]

const SAFE: HttpHeaders = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

export function consoleSite({ dist, state }: ConsoleOptions): HttpHandler {
  let paths = new Map<string, string>()
  let files = new Map<string, SiteFile>()
  let seen = ''
  /** Sees whether the folder is another than the last time. */
  const look = async (): Promise<boolean> => {
    const there = await stat(dist).catch(() => undefined)
    // Numbers of folders come again: the one of the build before last, after two builds that nobody asked about.
    const now = there ? `${there.ino} ${there.ctimeMs}` : 'absent'
    if (now !== seen) {
      const found = new Map<string, string>()
      for (const entry of there ? await readdir(dist, { recursive: true, withFileTypes: true }) : []) {
        const path = join(entry.parentPath, entry.name)
        if (entry.isFile() && !entry.name.startsWith('.')) found.set(`/${relative(dist, path)}`, path)
      }
      seen = now
      paths = found
      files = new Map()
    }
    return paths.has('/index.html')
  }
  const open = async (name: string): Promise<SiteFile> => {
    const known = files.get(name)
    if (known) return known
    const file = siteFile(name, await readFile(paths.get(name)!))
    files.set(name, file)
    return file
  }
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, headers: { ...SAFE, allow: 'GET, HEAD' }, body: '' }
    const { path } = request
    try {
      if (!(isAsset(path) && files.has(path)) && !(await look())) return waiting(state())
      if (isAsset(path) && !paths.has(path)) return { status: 404, headers: { ...SAFE, 'content-type': 'text/plain' }, body: 'No such file\n' }
      const name = [path, `${path}.html`].find((one) => paths.has(one)) ?? '/index.html'
      return await answer(request, await open(name))
    } catch (thrown) {
      // The folder is being replaced at this moment.
      seen = ''
      return waiting(code(thrown) === 'ENOENT' ? { kind: 'built' } : { kind: 'failed', why: String(thrown) })
    }
  }
}

const isAsset = (path: string): boolean => path.startsWith('/assets/')

function siteFile(name: string, plain: Buffer): SiteFile {
  return { etag: createHash('sha256').update(plain).digest('base64url').slice(0, 22), type: TYPES[extname(name)] ?? 'application/octet-stream', immutable: isAsset(name), plain, packed: new Map() }
}

async function answer(request: HttpRequest, file: SiteFile): Promise<HttpResponse> {
  const packing = file.type === 'font/woff2' || file.plain.length < 1024 ? undefined : packingOf(request.headers['accept-encoding'] ?? '')
  const etag = `"${file.etag}${packing ? `-${packing}` : ''}"`
  const headers: HttpHeaders = {
    ...SAFE,
    'content-security-policy': POLICY.join('; '),
    'content-type': file.type,
    'cache-control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    vary: 'accept-encoding',
    etag,
  }
  if ((request.headers['if-none-match'] ?? '').split(',').some((one) => one.trim().replace(/^W\//, '') === etag)) return { status: 304, headers }
  if (!packing) return { status: 200, headers, body: file.plain }
  let packed = file.packed.get(packing)
  if (!packed) file.packed.set(packing, (packed = pack(file.plain, packing)))
  return { status: 200, headers: { ...headers, 'content-encoding': packing }, body: await packed }
}

function packingOf(accepted: string): 'br' | 'gzip' | undefined {
  const names = accepted.split(',').map((one) => one.trim().split(';'))
  const takes = (name: string): boolean => names.some(([one, ...weight]) => one === name && !weight.some((text) => /^\s*q=0(\.0*)?\s*$/.test(text)))
  return takes('br') ? 'br' : takes('gzip') ? 'gzip' : undefined
}

const code = (thrown: unknown): unknown => (thrown as { code?: unknown }).code

const toBrotli = promisify(brotliCompress)
const toGzip = promisify(gzip)

function pack(plain: Buffer, packing: 'br' | 'gzip'): Promise<Buffer> {
  return packing === 'br' ? toBrotli(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 6, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } }) : toGzip(plain)
}

const WAITING_STYLE = 'body{display:grid;place-content:center;min-height:90vh;margin:0;text-align:center;font:1.1rem system-ui,sans-serif;color-scheme:light dark}pre{white-space:pre-wrap;text-align:start}'

/** Before the dashboard is built. The APIs do not wait for it. */
function waiting(state: ConsoleState): HttpResponse {
  const soon = state.kind === 'building' || state.kind === 'built'
  const text = {
    building: ['The dashboard is being built; this takes some seconds at the first start.', '대시보드를 만들고 있습니다. 처음 시작할 때만 잠시 걸립니다.'],
    built: ['The dashboard starts.', '대시보드를 시작합니다.'],
    failed: ['The dashboard could not be built. The APIs are not touched by this.', '대시보드를 만들지 못했습니다. API에는 영향이 없습니다.'],
    absent: ['The dashboard is not built. <code>./ondol up</code> builds it.', '대시보드가 없습니다. <code>./ondol up</code>이 만듭니다.'],
  }[state.kind]
  const why = state.kind === 'failed' ? `<pre>${state.why.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)}</pre>` : ''
  const style = createHash('sha256').update(WAITING_STYLE).digest('base64')
  return {
    status: 503,
    headers: { ...SAFE, 'content-security-policy': `default-src 'none'; style-src 'sha256-${style}'; frame-ancestors 'none'`, 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', ...(soon ? { 'retry-after': '2', refresh: '2' } : {}) },
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ondol</title><style>${WAITING_STYLE}</style></head><body><main><p>${text[0]}</p><p lang="ko">${text[1]}</p>${why}</main></body></html>\n`,
  }
}
