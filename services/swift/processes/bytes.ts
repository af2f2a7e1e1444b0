/** The drivers that the configuration names, each at its place. */
import { join } from 'node:path'
import { invalid } from '#base/fault.ts'
import { hexId } from '#base/ids.ts'
import type { World } from '#base/world.ts'
import type { DriverStorm } from '#stack/house.ts'
import type { SwiftConfig } from '../config.ts'
import { type Policy, policiesOf, type S3Place } from '../core/policies.ts'
import { memoryBytes } from '../drivers/fake/memory-bytes.ts'
import { stormyBytes } from '../drivers/fake/stormy-bytes.ts'
import { fileBytes } from '../drivers/files/file-bytes.ts'
import type { BytesDriver, Pools } from '../drivers/interface.ts'
import { poolsOf } from '../drivers/pools.ts'
import { s3Bytes } from '../drivers/s3/s3-bytes.ts'

export interface BytesParts { config: SwiftConfig; world: World; dataDir: string; driverStorm?: DriverStorm }

/** `standard`: in the place of what `swift.driver` names. */
export function bytesOf(parts: BytesParts, standard?: BytesDriver): { policies: Policy[]; bytes: Pools } {
  const { config, world, dataDir } = parts
  const policies = policiesOf(config.policies)
  const drivers = new Map<string, BytesDriver>([['', standard ?? driverOf(parts)]])
  for (const { pool, config: own } of policies) {
    if (pool === '') continue
    if (own.driver === 'memory') drivers.set(pool, memoryBytes(() => world.clock.now()))
    else if (own.driver === 's3') drivers.set(pool, s3Bytes({ ...(own.s3 as S3Place), region: own.s3?.region ?? 'us-east-1' }, world.clock, () => hexId(world.random)))
    else drivers.set(pool, fileBytes(own.path ?? join(dataDir, `bytes-${pool}`), own.durability ?? config.durability, () => hexId(world.random)))
  }
  const { driverStorm } = parts
  if (driverStorm) for (const [pool, driver] of drivers) drivers.set(pool, stormyBytes(driver, driverStorm, world.clock))
  return { policies, bytes: poolsOf(drivers) }
}

function driverOf({ config, world, dataDir }: BytesParts): BytesDriver {
  if (config.driver === 'memory') return memoryBytes(() => world.clock.now())
  if (config.driver === 's3') {
    for (const key of ['url', 'access_key', 'secret_key'] as const) if (config.s3[key] === '') throw invalid(`swift.driver is s3, and swift.s3.${key} is not given`, { field: `swift.s3.${key}` })
    return s3Bytes(config.s3, world.clock, () => hexId(world.random))
  }
  return fileBytes(join(dataDir, 'bytes'), config.durability, () => hexId(world.random))
}
