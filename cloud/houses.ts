/** The houses of this cloud: one literal list, in the order in which they start. */
import { cinderConfig } from '#cinder/config.ts'
import cinderPolicies from '#cinder/contract/policies.json' with { type: 'json' }
import { agentProcess as cinderAgent } from '#cinder/processes/agent.ts'
import { controlProcess as cinderControl } from '#cinder/processes/control.ts'
import { plate as cinder } from '#cinder/service.ts'
import { glanceConfig } from '#glance/config.ts'
import glancePolicies from '#glance/contract/policies.json' with { type: 'json' }
import { controlProcess as glanceControl } from '#glance/processes/control.ts'
import { plate as glance } from '#glance/service.ts'
import { configSchema as keystoneConfig } from '#keystone/config.ts'
import keystonePolicies from '#keystone/contract/policies.json' with { type: 'json' }
import { controlProcess as keystoneControl } from '#keystone/processes/control.ts'
import { plate as keystone } from '#keystone/service.ts'
import { novaConfig } from '#nova/config.ts'
import novaPolicies from '#nova/contract/policies.json' with { type: 'json' }
import { agentProcess as novaAgent } from '#nova/processes/agent.ts'
import { controlProcess as novaControl } from '#nova/processes/control.ts'
import { plate as nova } from '#nova/service.ts'
import { neutronConfig } from '#neutron/config.ts'
import neutronPolicies from '#neutron/contract/policies.json' with { type: 'json' }
import { agentProcess as neutronAgent } from '#neutron/processes/agent.ts'
import { controlProcess as neutronControl } from '#neutron/processes/control.ts'
import { plate as neutron } from '#neutron/service.ts'
import { placementConfig } from '#placement/config.ts'
import placementPolicies from '#placement/contract/policies.json' with { type: 'json' }
import { controlProcess as placementControl } from '#placement/processes/control.ts'
import { plate as placement } from '#placement/service.ts'
import { swiftConfig } from '#swift/config.ts'
import swiftPolicies from '#swift/contract/policies.json' with { type: 'json' }
import { controlProcess as swiftControl } from '#swift/processes/control.ts'
import { plate as swift } from '#swift/service.ts'
import type { ConfigSchema } from '#base/config.ts'
import type { AgentParts, AgentProcess, ControlProcess, HouseParts } from '#stack/house.ts'
import type { RuleDefault } from '#stack/policy/interface.ts'
import type { ServicePlate } from '#stack/service.ts'

export interface HouseEntry {
  plate: ServicePlate
  config: ConfigSchema
  policies: readonly RuleDefault[]
  // Each house has its own type of configuration; the loader has checked it against the house's schema.
  // oxlint-disable-next-line no-explicit-any
  control(parts: HouseParts<any>): ControlProcess
  // oxlint-disable-next-line no-explicit-any
  agent?(parts: AgentParts<any>, kind: 'fake' | 'real'): AgentProcess
}

export const houses: readonly HouseEntry[] = [
  { plate: keystone, config: keystoneConfig, policies: keystonePolicies, control: keystoneControl },
  { plate: placement, config: placementConfig, policies: placementPolicies, control: placementControl },
  { plate: glance, config: glanceConfig, policies: glancePolicies as readonly RuleDefault[], control: glanceControl },
  { plate: neutron, config: neutronConfig, policies: neutronPolicies as readonly RuleDefault[], control: neutronControl, agent: neutronAgent },
  { plate: cinder, config: cinderConfig, policies: cinderPolicies as readonly RuleDefault[], control: cinderControl, agent: cinderAgent },
  { plate: nova, config: novaConfig, policies: novaPolicies as readonly RuleDefault[], control: novaControl, agent: novaAgent },
  { plate: swift, config: swiftConfig, policies: swiftPolicies, control: swiftControl },
]
