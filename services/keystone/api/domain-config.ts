/** Options of one domain. */
import { forbidden, invalid, notFound } from '#base/fault.ts'
import type { Row } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { DOMAIN_OPTIONS } from '../contract/domain-options.ts'
import { getDomain } from '../store/projects.ts'
import { deleteRows, findRows, insertRow } from '../store/rows.ts'
import type { Db } from '../store/rows.ts'
import type { Keystone } from './house.ts'
import { at, enforce, there } from './steps.ts'

type Config = Record<string, Record<string, unknown>>

export function domainConfigRoutes(house: Keystone): Route[] {
  const { db } = house

  /** May everyone of the domain read it: the rules for passwords, which they must meet. */
  const action = (rq: Rq, usual: string): string => (rq.params.group === 'security_compliance' ? 'get_security_compliance_domain_config' : usual)
  const domain = async (rq: Rq, rule: string): Promise<string> => {
    enforce(rq, rule)
    return there(await getDomain(db, rq.params.domain_id!), 'domain', rq.params.domain_id!).id
  }
  const known = (group: string | undefined, option: string | undefined): void => {
    if (group === undefined) return
    const options = DOMAIN_OPTIONS[group]
    if (!options) throw forbidden(`Invalid domain specific configuration: Group ${group} is not supported for domain specific configurations.`)
    if (option !== undefined && !options[option]) throw forbidden(`Invalid domain specific configuration: Option ${option} in group ${group} is not supported for domain specific configurations.`)
  }
  const read = async (sql: Db, domain_id: string): Promise<Config> => {
    const config: Config = {}
    for (const row of await findRows(sql, 'keystone_domain_config', { domain_id })) (config[row.config_group] ??= {})[row.config_option] = JSON.parse(row.value)
    return config
  }
  const shown = (config: Config): Config =>
    Object.fromEntries(
      Object.entries(config)
        .map(([group, options]): [string, Record<string, unknown>] => [group, Object.fromEntries(Object.entries(options).filter(([option]) => !DOMAIN_OPTIONS[group]?.[option]?.secret))])
        .filter(([, options]) => Object.keys(options).length > 0),
    )
  const lost = (rq: Rq): Error => {
    const { group, option, domain_id } = rq.params
    return notFound(`Could not find domain configuration: ${option === undefined ? '' : `option ${option} in `}${group === undefined ? 'any options' : `group ${group}`} for domain ${domain_id}.`)
  }
  const narrow = (rq: Rq, config: Config): Row => {
    const { group, option } = rq.params
    if (group === undefined) {
      if (Object.keys(config).length === 0) throw lost(rq)
      return config
    }
    const options = config[group]
    if (!options || (option !== undefined && !(option in options))) throw lost(rq)
    return option === undefined ? { [group]: options } : { [option]: options[option] }
  }
  const body = (rq: Rq): Config => {
    const given = (rq.body as { config?: unknown } | undefined)?.config
    if (typeof given !== 'object' || given === null || Array.isArray(given) || Object.keys(given).length === 0) throw invalid('Expecting to find config in the request body.', { field: 'config' })
    const { group, option } = rq.params
    let config = given as Config
    if (option !== undefined) {
      if (Object.keys(given).length !== 1 || !(option in given)) throw forbidden(`Invalid domain specific configuration: The option specified in the config does not match the ${option} in the URL.`)
      config = { [group!]: given as Record<string, unknown> }
    } else if (group !== undefined && (Object.keys(given).length !== 1 || !(group in given))) throw forbidden(`Invalid domain specific configuration: The group(s) specified in the config do not match group ${group} in the URL.`)
    for (const [name, options] of Object.entries(config)) {
      if (typeof options !== 'object' || options === null) throw invalid(`Invalid domain specific configuration: Group ${name} must hold options.`, { field: name })
      for (const key of Object.keys(options)) known(name, key)
      if (Object.keys(options).length === 0) known(name, undefined)
      if (name === 'security_compliance') throw forbidden('Invalid domain specific configuration: security_compliance is set for the whole cloud.')
    }
    return config
  }
  const write = async (sql: Db, domain_id: string, config: Config): Promise<void> => {
    for (const [config_group, options] of Object.entries(config)) {
      for (const [config_option, value] of Object.entries(options)) {
        await deleteRows(sql, 'keystone_domain_config', { domain_id, config_group, config_option })
        await insertRow(sql, 'keystone_domain_config', { domain_id, config_group, config_option, value: JSON.stringify(value ?? null) })
      }
    }
  }
  const whole = (): Config => {
    const { password_regex, password_regex_description } = house.config.security_compliance
    return { security_compliance: { password_regex, password_regex_description } }
  }

  const show = async (rq: Rq): Promise<Reply> => {
    const domain_id = await domain(rq, action(rq, 'get_domain_config'))
    known(rq.params.group, rq.params.option)
    const own = rq.params.group === 'security_compliance' ? whole() : shown(await read(db, domain_id))
    return { json: { config: narrow(rq, own) } }
  }
  const put = async (rq: Rq): Promise<Reply> => {
    const domain_id = await domain(rq, 'create_domain_config')
    const config = body(rq)
    const existed = await db.transaction(async (tx) => {
      const before = await deleteRows(tx, 'keystone_domain_config', { domain_id })
      await write(tx, domain_id, config)
      return before > 0
    })
    return { status: existed ? 200 : 201, json: { config: shown(config) } }
  }
  const patch = async (rq: Rq): Promise<Reply> => {
    const domain_id = await domain(rq, 'update_domain_config')
    known(rq.params.group, rq.params.option)
    const config = body(rq)
    const merged = await db.transaction(async (tx) => {
      const before = await read(tx, domain_id)
      if (rq.params.group !== undefined) narrow(rq, before)
      await write(tx, domain_id, config)
      return read(tx, domain_id)
    })
    return { json: { config: shown(merged) } }
  }
  const remove = async (rq: Rq): Promise<Reply> => {
    const domain_id = await domain(rq, 'delete_domain_config')
    const { group, option } = rq.params
    known(group, option)
    const gone = await deleteRows(db, 'keystone_domain_config', { domain_id, ...(group === undefined ? {} : { config_group: group }), ...(option === undefined ? {} : { config_option: option }) })
    if (gone === 0) throw lost(rq)
    return {}
  }
  const defaults = (rq: Rq): Reply => {
    enforce(rq, 'get_domain_config_default')
    const { group, option } = rq.params
    known(group, option)
    const values: Config = { ...Object.fromEntries(Object.entries(DOMAIN_OPTIONS).map(([name, options]) => [name, Object.fromEntries(Object.entries(options).filter(([, one]) => !one.secret).map(([key, one]) => [key, one.default]))])), ...whole() }
    return { json: { config: narrow(rq, values) } }
  }

  const own = '/v3/domains/{domain_id}/config'
  const all = [own, `${own}/{group}`, `${own}/{group}/{option}`]
  return [
    at('GET', '/v3/domains/config/default', 'domain_config.defaults', 200, defaults),
    at('GET', '/v3/domains/config/{group}/default', 'domain_config.group_defaults', 200, defaults),
    at('GET', '/v3/domains/config/{group}/{option}/default', 'domain_config.option_default', 200, defaults),
    ...all.flatMap((path, depth) => {
      const name = `domain_config.${['', 'group_', 'option_'][depth]}`
      return [at('GET', path, `${name}show`, 200, show), at('PATCH', path, `${name}update`, 200, patch), at('DELETE', path, `${name}delete`, 204, remove)]
    }),
    at('PUT', own, 'domain_config.create', 201, put),
  ]
}
