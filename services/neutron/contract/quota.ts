/** Quotas, extensions and agents on the wire, and the calls about them. */
import { operation } from '#stack/contract.ts'
import type { ListQuery } from './network.ts'

/** Limits by resource (`network`, `subnet`, `port`, `router`, `floatingip`, `security_group`, `security_group_rule` …); -1 is none. */
export type Quota = Record<string, number>
export type QuotaDetails = Record<string, { limit: number; used: number; reserved: number }>

export interface Agent {
  id: string
  agent_type: string
  binary: string
  topic: string
  host: string
  admin_state_up: boolean
  alive: boolean
  availability_zone: string | null
  configurations: Record<string, unknown>
  created_at: string
  started_at: string
  heartbeat_timestamp: string
  description: string | null
  resources_synced: boolean | null
}

interface OfProject {
  params: { project_id: string }
}

export const showQuota = operation<OfProject, { quota: Quota }>('GET', '/v2.0/quotas/{project_id}')
export const showQuotaDetails = operation<OfProject, { quota: QuotaDetails }>('GET', '/v2.0/quotas/{project_id}/details.json')
export const showDefaultQuota = operation<OfProject, { quota: Quota }>('GET', '/v2.0/quotas/{project_id}/default')
export const updateQuota = operation<OfProject & { body: { quota: Quota } }, { quota: Quota }>('PUT', '/v2.0/quotas/{project_id}')
export const deleteQuota = operation<OfProject>('DELETE', '/v2.0/quotas/{project_id}')
export const listExtensions = operation<{ query?: ListQuery }, { extensions: { alias: string; name: string; description: string; updated: string; links: unknown[] }[] }>('GET', '/v2.0/extensions')
export const listAgents = operation<{ query?: ListQuery }, { agents: Agent[] }>('GET', '/v2.0/agents')
