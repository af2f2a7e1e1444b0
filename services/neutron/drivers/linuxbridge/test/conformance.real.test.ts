import { networkDriverConformance } from '../../conformance.ts'
import { cannot, Lab } from './lab.ts'

networkDriverConformance(
  'linuxbridge',
  async () => {
    const lab = await Lab.open('nlc')
    const host = await lab.namespace('host')
    return { start: () => lab.driver('a', host), close: () => lab.close() }
  },
  { skip: cannot },
)
