import { startCloud } from '#cloud/start-cloud.ts'
import { writeCloudsYaml } from '#cloud/credentials.ts'
import { createLog } from '#base/log.ts'
const cloud = await startCloud({ port: 15990, world: process.env.NLOG ? { log: (createLog as never as Function)({}) } : {} })
await writeCloudsYaml('/tmp/neutron-ws/clouds.yaml', cloud.credentials, cloud.url)
console.log(cloud.url)
process.on('SIGTERM', async () => { await cloud.close(); process.exit(0) })
