/** Buckets as web sites, at `<bucket>.<one of swift.s3_website_domains>`: read as nobody, errors as pages. */
import { asFault } from '#base/fault.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { escape } from '../../core/markup.ts'
import { s3Error, s3Fault } from '../../core/s3/errors.ts'
import { locationOf, ruleFor, type Website } from '../../core/s3/website.ts'
import { type Answer, metadataOf } from '../ask.ts'
import { permitted } from './may.ts'
import { getObject } from './object.ts'
import { atBucket, bucketRow, type S3Request } from './request.ts'
import { websiteOf } from './settings.ts'

const HTML = { 'content-type': 'text/html; charset=utf-8' }

/** `nobody`: an unsigned request about nothing yet. `path` is percent-encoded. */
export async function visit(nobody: Omit<S3Request, 'account' | 'owner' | 'row'>, rq: Rq, bucket: string, path: string): Promise<Reply> {
  try {
    if (rq.http.method !== 'GET' && rq.http.method !== 'HEAD') throw s3Fault('MethodNotAllowed')
    const found = await atBucket({ ...nobody, query: new URLSearchParams(), headers: plain(rq.http.headers) }, bucket, '')
    const site = websiteOf(metadataOf(bucketRow(found)))
    if (!site) throw s3Fault('NoSuchWebsiteConfiguration', undefined, { BucketName: bucket })
    const key = keyOf(path)
    const { origin } = rq.http
    if (site.all) return moved(locationOf({ redirect: { host: site.all.host, ...(site.all.protocol === undefined ? {} : { protocol: site.all.protocol }) } }, key, origin), 301)
    const rule = ruleFor(site, key)
    if (rule) return moved(locationOf(rule, key, origin), rule.redirect.status ?? 301)
    return await shown(found, site, key, origin)
  } catch (thrown) {
    const fault = asFault(thrown)
    if (fault.kind === 'internal') throw thrown
    const { status, code, message } = s3Error(fault)
    return page(rq, status, code, message)
  }
}

const plain = (headers: Readonly<Record<string, string>>): Record<string, string> => Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('x-amz-') && name !== 'authorization'))

function keyOf(path: string): string {
  try {
    return decodeURIComponent(path.replace(/^\//, ''))
  } catch {
    throw s3Fault('InvalidURI')
  }
}

async function shown(found: S3Request, site: Website, key: string, origin: string): Promise<Reply> {
  const folder = key === '' || key.endsWith('/')
  try {
    return answerOf(await read(found, folder ? key + site.index : key), origin)
  } catch (thrown) {
    const fault = asFault(thrown)
    const { status } = s3Error(fault)
    if (fault.kind === 'internal' || status === 304) throw thrown
    // A folder without its slash.
    if (!folder && (status === 404 || status === 403) && (await read(found, `${key}/${site.index}`, 'HEAD').then(() => true, () => false))) return moved(`/${key.split('/').map(encodeURIComponent).join('/')}/`, 302)
    const rule = ruleFor(site, key, status)
    if (rule) return moved(locationOf(rule, key, origin), rule.redirect.status ?? 301)
    if (site.error === undefined) throw thrown
    const own = await read({ ...found, headers: {} }, site.error).catch(() => undefined)
    if (!own) throw thrown
    return { ...answerOf(own, origin), status }
  }
}

async function read(found: S3Request, key: string, method = found.rq.http.method): Promise<Answer> {
  const http = { ...found.rq.http, method }
  const at = await permitted({ ...found, key, rq: { ...found.rq, http } as Rq }, { action: 's3:GetObject', right: 'read', list: { of: 'object', permission: 'READ' } })
  return getObject(at)
}

function answerOf(answer: Answer, origin: string): Reply {
  const to = answer.headers['x-amz-website-redirect-location']
  if (typeof to === 'string') return moved(to.startsWith('/') ? new URL(to, origin).href : to, 301)
  return { status: answer.status, headers: answer.headers, ...(answer.body === undefined ? {} : { body: answer.body }) }
}

const moved = (location: string, status: number): Reply => ({ status, headers: { ...HTML, location }, body: '' })

function page(rq: Rq, status: number, code: string, message: string): Reply {
  const body = `<!DOCTYPE html>\n<html><head><title>${status} ${code}</title></head><body><h1>${status} ${code}</h1><p>${escape(message)}</p><ul><li>RequestId: ${rq.context.request_id}</li></ul></body></html>\n`
  return rq.http.method === 'HEAD' ? { status, headers: HTML } : { status, headers: HTML, body }
}
