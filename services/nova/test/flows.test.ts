/** Nova's flows, broken at every step: what fails leaves nothing behind, and what dies is finished by another worker. */
import { breakFlows } from '#base/flow/kit.ts'
import { flowCases } from './flow-cases.ts'

breakFlows(flowCases)
