import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isFault } from '#base/fault.ts'
import { checkRule, type RuleAsk, ruleKey } from './security-rules.ts'

const rule = (given: Partial<RuleAsk>): RuleAsk => ({ direction: 'ingress', ethertype: 'IPv4', protocol: null, port_range_min: null, port_range_max: null, remote_ip_prefix: null, remote_group_id: null, remote_address_group_id: null, ...given })
const refused = (given: Partial<RuleAsk>, code: string): void => assert.throws(() => checkRule(rule(given)), (thrown) => isFault(thrown, 'invalid') && thrown.code === code, JSON.stringify(given))

describe('a security group rule', () => {
  it('is refused with the name of what is wrong', () => {
    refused({ ethertype: 'IPv5' }, 'SecurityGroupRuleInvalidEtherType')
    refused({ protocol: 'nonsense' }, 'SecurityGroupRuleInvalidProtocol')
    refused({ port_range_min: 80, port_range_max: 80 }, 'SecurityGroupProtocolRequiredWithPorts')
    refused({ protocol: 'tcp', port_range_min: 81, port_range_max: 80 }, 'SecurityGroupInvalidPortRange')
    refused({ protocol: 'tcp', port_range_min: 80 }, 'SecurityGroupInvalidPortRange')
    refused({ protocol: 'tcp', port_range_min: 80, port_range_max: 65536 }, 'SecurityGroupInvalidPortValue')
    refused({ protocol: 'icmp', port_range_min: 300 }, 'SecurityGroupInvalidIcmpValue')
    refused({ protocol: 'icmp', port_range_max: 0 }, 'SecurityGroupMissingIcmpType')
    refused({ protocol: 'vrrp', port_range_min: 1, port_range_max: 1 }, 'SecurityGroupInvalidProtocolForPort')
    refused({ remote_ip_prefix: '2001:db8::/64' }, 'SecurityGroupRuleParameterConflict')
    refused({ remote_ip_prefix: '10.0.0.0/8', remote_group_id: 'g' }, 'SecurityGroupMultipleRemoteEntitites')
  })

  it('keeps the prefix as given, and says the normal one beside it', () => {
    assert.equal(checkRule(rule({ remote_ip_prefix: '10.0.0.77/24' })).normalized_cidr, '10.0.0.0/24')
  })

  it('is the same rule in other words', () => {
    assert.equal(ruleKey(rule({ protocol: 'tcp' })), ruleKey(rule({ protocol: '6' })))
    assert.equal(ruleKey(rule({ remote_ip_prefix: '10.0.0.1/24' })), ruleKey(rule({ remote_ip_prefix: '10.0.0.0/24' })))
    assert.notEqual(ruleKey(rule({ protocol: 'tcp' })), ruleKey(rule({ protocol: 'udp' })))
  })
})
