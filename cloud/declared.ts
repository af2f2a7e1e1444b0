/** The routes of every house, from a cloud that listens nowhere and is thrown away. */
import { type RouteLine, routeLines } from '#stack/service.ts'
import type { Route } from '#stack/route.ts'
import { startCloud } from './start-cloud.ts'

export async function declaredRoutes(): Promise<RouteLine[]> {
  return (await routesByService()).flatMap(({ service, routes }) => routeLines(service, routes))
}

export async function routesByService(): Promise<{ service: string; routes: readonly Route[] }[]> {
  const cloud = await startCloud({ port: null, config: { 'seed.enabled': false } })
  const found = [...cloud.controls].map(([service, control]) => ({ service, routes: control.routes }))
  await cloud.close()
  return found
}
