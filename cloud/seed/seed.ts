/** What a fresh cloud starts with, made through the houses' own doors, so that it is as valid as what users make. Safe to repeat. */
import { isFault } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import type { Caller, Client } from '#stack/client.ts'
import { operation } from '#stack/contract.ts'
import type { CloudConfig } from '../config.ts'
import type { Identity } from '../identity.ts'
import { FLAVORS } from './flavors.ts'
import { seedNetworks } from './networks.ts'

export interface SeedParts {
  client: Client
  identity: Identity
  world: World
  config: CloudConfig
}

const createFlavor = operation<{ body: { flavor: object } }, unknown>('POST', '/v2.1/flavors')
const listFlavors = operation<{ query: { is_public: string } }, { flavors: { name: string }[] }>('GET', '/v2.1/flavors')

export async function seedCloud(parts: SeedParts): Promise<void> {
  const admin = await parts.identity.adminCaller()
  await seedFlavors(parts.client, admin)
  await seedNetworks(parts, admin)
}

async function seedFlavors(client: Client, admin: Caller): Promise<void> {
  const { flavors } = await client.call(admin, 'nova', listFlavors, { query: { is_public: 'None' } })
  const there = new Set(flavors.map((flavor) => flavor.name))
  for (const flavor of FLAVORS) {
    if (there.has(flavor.name)) continue
    await client.call(admin, 'nova', createFlavor, { body: { flavor } }).catch((thrown: unknown) => {
      if (!isFault(thrown, 'conflict')) throw thrown
    })
  }
}
