/** Domains: projects that hold users, groups and projects of their own. */
import { forbidden } from '#base/fault.ts'
import { toSecond } from '../core/instant.ts'
import { type Resource, type Row, toWire } from '#stack/resource/resource.ts'
import { structured } from '#stack/resource/field.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { dropDomain } from '../store/clean-up.ts'
import { getDomain, storeTags, tagsOf } from '../store/projects.ts'
import { insertRow, updateRow } from '../store/rows.ts'
import type { ProjectRow } from '../store/tables.ts'
import { callerDomain } from './domain-scope.ts'
import { description, id, name, onOff, resourceOptions, TAGS } from './fields.ts'
import type { Keystone } from './house.ts'
import { at, created, enforce, equals, listReply, mergedExtra, mergedOptions, mutable, newId, page, storing, there, updated, v3 } from './steps.ts'

export const DOMAIN: Resource = {
  one: 'domain',
  many: 'domains',
  path: '/v3/domains',
  table: 'keystone_projects',
  extra: 'extra',
  fields: {
    id: id(),
    name: name(64),
    description: description({ post: 'optional', put: true, default: '' }),
    enabled: onOff(),
    options: resourceOptions(),
    tags: { ...structured(TAGS, { post: 'optional', put: true }), stored: 'none' },
    explicit_domain_id: { schema: { type: 'string', pattern: '^[0-9a-f]{32}$' }, stored: 'none', parse: () => undefined, post: 'optional', filter: false, sort: false },
  },
}

export function domainView(rq: Rq, row: ProjectRow, tags: readonly string[] = []): Row {
  return { ...toWire(DOMAIN, row as unknown as Row), description: row.description ?? '', tags, links: { self: v3(rq, `domains/${row.id}`) } }
}

export const domainTarget = (row: ProjectRow | undefined): Row => (row ? { domain: { id: row.id, name: row.name } } : {})

export function domainRoutes(house: Keystone): Route[] {
  const { db } = house
  const one = async (rq: Rq, row: ProjectRow): Promise<Reply> => ({ json: { domain: domainView(rq, row, (await tagsOf(db, [row.id])).get(row.id)) } })

  const list = async (rq: Rq): Promise<Reply> => {
    const domain = callerDomain(rq)
    enforce(rq, 'list_domains', domain === undefined ? {} : { domain: { id: domain } })
    const scope = [equals('is_domain', 1), ...(domain === undefined ? [] : [equals('id', domain)])]
    const { rows, ...more } = await page<ProjectRow>(house, rq, DOMAIN, scope)
    const tags = await tagsOf(db, rows.map((row) => row.id))
    return listReply(rq, 'domains', rows.map((row) => domainView(rq, row, tags.get(row.id))), more)
  }

  const create = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'create_domain')
    const record = created(DOMAIN, rq)
    const row: ProjectRow = {
      id: (record.explicit_domain_id as string | null) ?? newId(house), name: record.name as string, domain_id: '', parent_id: '', is_domain: 1, enabled: record.enabled === false ? 0 : 1,
      description: record.description as string | null, options: mergedOptions('{}', record), extra: JSON.stringify(record.extra), revoked_before: 0,
    }
    await storing('project', `it is not permitted to have two projects acting as domains with the same name: ${row.name}`, () =>
      db.transaction(async (tx) => {
        await insertRow(tx, 'keystone_projects', row)
        if (record.tags) await storeTags(tx, row.id, record.tags as string[])
      }),
    )
    return one(rq, row)
  }

  const find = async (rq: Rq, action: string): Promise<ProjectRow> => {
    const row = await getDomain(db, rq.params.domain_id!)
    if (action === 'update_domain') there(row, 'domain', rq.params.domain_id!)
    enforce(rq, action, domainTarget(row))
    return there(row, 'domain', rq.params.domain_id!)
  }

  const update = async (rq: Rq): Promise<Reply> => {
    const domain = await find(rq, 'update_domain')
    const patch = updated(DOMAIN, rq, domain.id)
    mutable('domain', domain.id, domain.options, patch)
    const row: ProjectRow = {
      ...domain,
      ...(patch.name === undefined ? {} : { name: patch.name as string }),
      ...(patch.description === undefined ? {} : { description: patch.description as string | null }),
      ...(patch.enabled === undefined ? {} : { enabled: patch.enabled ? 1 : 0 }),
      options: mergedOptions(domain.options, patch),
      extra: mergedExtra(domain.extra, patch),
    }
    const disabled = row.enabled === 0 && domain.enabled === 1
    if (disabled) row.revoked_before = Math.max(toSecond(house.world.clock.now()), domain.revoked_before + 1000)
    await storing('project', `it is not permitted to have two projects acting as domains with the same name: ${row.name}`, () =>
      db.transaction(async (tx) => {
        const { id: _, ...columns } = row
        await updateRow(tx, 'keystone_projects', { id: domain.id }, columns)
        if (patch.tags) await storeTags(tx, row.id, patch.tags as string[])
        await (disabled ? house.revoke(tx) : house.widen(tx))
      }),
    )
    return one(rq, row)
  }

  const remove = async (rq: Rq): Promise<Reply> => {
    const domain = await find(rq, 'delete_domain')
    mutable('domain', domain.id, domain.options)
    if (domain.enabled === 1) throw forbidden('Cannot delete a domain that is enabled, please disable it first.')
    await db.transaction(async (tx) => {
      await dropDomain(tx, domain.id)
      await house.revoke(tx, 'tables')
      await house.revoke(tx)
    })
    return {}
  }

  return [
    at('GET', '/v3/domains', 'domains.list', 200, list),
    at('POST', '/v3/domains', 'domains.create', 201, create),
    at('GET', '/v3/domains/{domain_id}', 'domains.show', 200, async (rq) => one(rq, await find(rq, 'get_domain'))),
    at('PATCH', '/v3/domains/{domain_id}', 'domains.update', 200, update),
    at('DELETE', '/v3/domains/{domain_id}', 'domains.delete', 204, remove),
  ]
}
