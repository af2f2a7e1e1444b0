/** `ondol openapi`: an OpenAPI 3.1 document from the routes; JSON Schemas stand in it as they are. */
import { invalid } from '#base/fault.ts'
import { openapiDocument } from '#stack/openapi.ts'
import { routesByService } from '../declared.ts'

export async function openapi(service: string): Promise<void> {
  const all = await routesByService()
  const found = all.find((one) => one.service === service)
  if (!found) throw invalid(`There is no service ${service}. Known: ${all.map((one) => one.service).join(', ')}`)
  process.stdout.write(`${JSON.stringify(openapiDocument(service, found.routes), null, 1)}\n`)
}
