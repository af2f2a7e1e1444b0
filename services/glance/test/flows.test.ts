/** Every flow, broken at every step and killed after every step. */
import { breakFlows } from '#base/flow/kit.ts'
import { flowCases } from './flow-cases.ts'

breakFlows(flowCases)
