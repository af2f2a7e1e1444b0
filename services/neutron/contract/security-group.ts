/** Security groups and their rules on the wire, and the calls about them. */
import { operation } from '#stack/contract.ts'
import type { ListQuery, Standard } from './network.ts'

export interface SecurityGroupRule extends Standard {
  id: string
  tenant_id: string
  project_id: string
  security_group_id: string
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  protocol: string | null
  port_range_min: number | null
  port_range_max: number | null
  remote_ip_prefix: string | null
  remote_group_id: string | null
  remote_address_group_id: string | null
  normalized_cidr: string | null
  belongs_to_default_sg: boolean
  tags?: string[]
}

export interface SecurityGroup extends Standard {
  id: string
  name: string
  tenant_id: string
  project_id: string
  stateful: boolean
  shared: boolean
  security_group_rules: SecurityGroupRule[]
  tags: string[]
}

interface One {
  params: { id: string }
}

interface Many {
  query?: ListQuery
}

export const listSecurityGroups = operation<Many, { security_groups: SecurityGroup[] }>('GET', '/v2.0/security-groups')
export const showSecurityGroup = operation<One, { security_group: SecurityGroup }>('GET', '/v2.0/security-groups/{id}')
export const createSecurityGroup = operation<{ body: { security_group: Record<string, unknown> } }, { security_group: SecurityGroup }>('POST', '/v2.0/security-groups')
export const updateSecurityGroup = operation<One & { body: { security_group: Record<string, unknown> } }, { security_group: SecurityGroup }>('PUT', '/v2.0/security-groups/{id}')
export const deleteSecurityGroup = operation<One>('DELETE', '/v2.0/security-groups/{id}')
export const listSecurityGroupRules = operation<Many, { security_group_rules: SecurityGroupRule[] }>('GET', '/v2.0/security-group-rules')
export const showSecurityGroupRule = operation<One, { security_group_rule: SecurityGroupRule }>('GET', '/v2.0/security-group-rules/{id}')
export const createSecurityGroupRule = operation<{ body: { security_group_rule: Record<string, unknown> } }, { security_group_rule: SecurityGroupRule }>('POST', '/v2.0/security-group-rules')
export const deleteSecurityGroupRule = operation<One>('DELETE', '/v2.0/security-group-rules/{id}')
