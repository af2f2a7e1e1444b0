/** The catalog of a token: services with their endpoints, and each URL with the project and user filled in. */
import type { CatalogEndpoint, CatalogService } from '#stack/context.ts'

export interface ServiceFacts {
  id: string
  type: string
  name: string
}

export interface EndpointFacts {
  id: string
  service_id: string
  interface: string
  region_id: string | null
  url: string
}

/** `$(project_id)s` and `%(project_id)s` alike. Undefined when the URL needs what the token has not, or is no template at all. */
export function endpointUrl(template: string, facts: Readonly<Record<string, string | undefined>>): string | undefined {
  if (!template.includes('(')) return template
  let missing = false
  const url = template.replaceAll(/[$%]\((\w+)\)s/g, (_, key: string) => {
    const value = facts[key === 'tenant_id' ? 'project_id' : key]
    if (value === undefined) missing = true
    return value ?? ''
  })
  return missing ? undefined : url
}

export function catalogOf(services: readonly ServiceFacts[], endpoints: readonly EndpointFacts[], facts: { project_id?: string; user_id?: string }): CatalogService[] {
  const by = Map.groupBy(endpoints, (one) => one.service_id)
  return services.map(({ id, type, name }) => {
    const list: CatalogEndpoint[] = []
    for (const one of by.get(id) ?? []) {
      const url = endpointUrl(one.url, facts)
      if (url !== undefined) list.push({ id: one.id, interface: one.interface as CatalogEndpoint['interface'], region_id: one.region_id, url, region: one.region_id })
    }
    return { endpoints: list, id, type, name }
  })
}
