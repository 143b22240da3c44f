// Rules of a network card that steer packets to a receive queue (ethtool's ntuple filters), by ioctl(2).
//
// A rule matches fields of TCP, UDP, SCTP or any IP packets exactly or under a mask. Rules are told apart by their location,
// which the driver picks or we do. Layout: struct ethtool_rxnfc and ethtool_rx_flow_spec of linux/ethtool.h.

import { ask, change } from './ethtool.js'
import { errno } from './errno.js'
import { SystemError } from './failure.js'
import { Structure } from './structure.js'

const command = {
  GRXCLSRLCNT: 0x2e,
  GRXCLSRULE: 0x2f,
  GRXCLSRLALL: 0x30,
  SRXCLSRLDEL: 0x31,
  SRXCLSRLINS: 0x32,
}
const flowType = { tcp4: 1, udp4: 2, sctp4: 3, tcp6: 5, udp6: 6, sctp6: 7, ip4: 13, ip6: 14 } as const
/** In a location: the driver picks one. */
const anyLocation = 0xffff_ffff
const specialLocations = 0x8000_0000
const bytes = 192
/** Byte offsets in struct ethtool_rxnfc. */
const at = {
  flowType: 4,
  data: 8,
  specFlow: 16,
  value: 20,
  mask: 92,
  cookie: 168,
  location: 176,
  count: 184,
  list: 188,
}

/** A rule. Addresses are in network order, with masks of the same length. */
export interface FlowRule {
  readonly flow: keyof typeof flowType
  readonly queue: number
  readonly source?: { readonly bytes: Uint8Array; readonly mask: Uint8Array }
  readonly destination?: { readonly bytes: Uint8Array; readonly mask: Uint8Array }
  readonly sourcePort?: number
  readonly destinationPort?: number
  /** Of ip4 and ip6: the protocol. */
  readonly protocol?: number
}

/** Writes a rule's fields into a request, from byte `specFlow` on. */
function write(request: Structure, rule: FlowRule): Structure {
  const six = rule.flow.endsWith('6')
  const ports = !rule.flow.startsWith('ip')
  const [address, port, protocol] = six ? [16, 32, 37] : [4, 8, 14]
  const put = (offset: number, value: Uint8Array, mask: Uint8Array): void => {
    request.bytes.set(value, at.value + offset)
    request.bytes.set(mask, at.mask + offset)
  }
  const all = (length: number): Uint8Array => new Uint8Array(length).fill(255)
  const u16 = (n: number): Uint8Array => Uint8Array.of(n >> 8, n & 255)
  if (rule.source) put(0, rule.source.bytes, rule.source.mask)
  if (rule.destination) put(address, rule.destination.bytes, rule.destination.mask)
  if (ports && rule.sourcePort !== undefined) put(port, u16(rule.sourcePort), all(2))
  if (ports && rule.destinationPort !== undefined) put(port + 2, u16(rule.destinationPort), all(2))
  if (!ports && rule.protocol !== undefined) put(protocol, Uint8Array.of(rule.protocol), all(1))
  // ETH_RX_NFC_IP4 is the version that an IPv4 rule without ports must name.
  if (rule.flow === 'ip4') put(13, Uint8Array.of(1), Uint8Array.of(0))
  return request.u32(at.specFlow, flowType[rule.flow]).u64(at.cookie, BigInt(rule.queue))
}

/** How many rules the device holds; undefined if it steers none. `picks`: the driver finds a place by itself. */
export function flowRuleCount(
  device: string,
): { readonly count: number; readonly picks: boolean } | undefined {
  const answer = ask(device, new Structure(bytes).u32(0, command.GRXCLSRLCNT))
  return (
    answer && {
      count: answer.read32(at.count),
      picks: (answer.read64(at.data) & BigInt(specialLocations)) !== 0n,
    }
  )
}

/** Locations of all rules, as far as the device tells. */
export function flowRules(device: string): number[] {
  const { count = 0 } = flowRuleCount(device) ?? {}
  if (count === 0) return []
  const answer = ask(
    device,
    new Structure(bytes + 4 * count).u32(0, command.GRXCLSRLALL).u32(at.count, count),
  )
  if (answer === undefined) return []
  const found = Math.min(count, answer.read32(at.count))
  return Array.from({ length: found }, (_, k) => answer.read32(at.list + 4 * k))
}

/** The queue that the rule at a location steers to, and its fields as the device has them; undefined if there is none. */
export function flowRuleAt(
  device: string,
  location: number,
): { readonly queue: number; readonly spec: Uint8Array } | undefined {
  const answer = ask(device, new Structure(bytes).u32(0, command.GRXCLSRULE).u32(at.location, location))
  return (
    answer && { queue: Number(answer.read64(at.cookie)), spec: answer.bytes.slice(at.specFlow, at.cookie) }
  )
}

/** Adds a rule and reads it back; answers its location. Throws if the device refuses it, or has another in its place. */
export function addFlowRule(device: string, rule: FlowRule): number {
  const support = flowRuleCount(device)
  if (support === undefined)
    throw new SystemError(`ethtool: flow rules of ${device}`, errno.EOPNOTSUPP, {
      reason: 'its driver cannot steer packets by rules',
    })
  const request = write(new Structure(bytes).u32(0, command.SRXCLSRLINS), rule)
  request.u32(at.location, support.picks ? anyLocation : firstFree(device))
  change(device, `flow rule ${rule.flow} to queue ${rule.queue}`, request)
  const location = request.read32(at.location)
  const found = flowRuleAt(device, location)
  if (found?.queue !== rule.queue) {
    if (found) removeFlowRule(device, location)
    throw new SystemError(`ethtool: flow rule of ${device}`, errno.EIO, {
      reason: `it accepted a rule to queue ${rule.queue}, and shows ${found ? `queue ${found.queue}` : 'none'} at location ${location}`,
    })
  }
  return location
}

function firstFree(device: string): number {
  const used = new Set(flowRules(device))
  for (let location = 0; ; location++) if (!used.has(location)) return location
}

/** Removes a rule. */
export function removeFlowRule(device: string, location: number): void {
  change(
    device,
    `flow rule ${location}`,
    new Structure(bytes).u32(0, command.SRXCLSRLDEL).u32(at.location, location),
  )
}
