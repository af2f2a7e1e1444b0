/** Operations of Neutron that this one does not offer: they say so. */
import { notImplemented } from '#base/fault.ts'
import type { Route } from '#stack/route.ts'
import { route } from '#stack/route.ts'

const gateways = (['add', 'update', 'remove'] as const).map((verb) =>
  route({
    method: 'PUT',
    path: `/v2.0/routers/{id}/${verb}_external_gateways`,
    name: `routers.${verb}_external_gateways`,
    status: 200,
    handle: () => {
      throw notImplemented('A router has one external gateway here: set external_gateway_info of the router.')
    },
  }),
)

export const unoffered: readonly Route[] = gateways
