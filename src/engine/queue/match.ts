// Which packets are steered: the part of tcpdump's filter language that one rule of a network card can say.
//
// Conditions joined by `and`: a protocol, addresses and ports, each of a given direction. What a card cannot match in
// one rule (`or`, `not`, a port of either direction) is refused with the reason. Never throws.

import { parseIpv4, parseIpv6 } from '../../state/address.js'

/** Bytes in network order, and how many leading bits count. */
export interface Network {
  readonly bytes: Uint8Array
  readonly prefix: number
}

/** All fields that are there must match; none: every packet does. */
export interface Match {
  /** As it was written. */
  readonly text: string
  readonly family?: 4 | 6
  /** IP protocol number. */
  readonly protocol?: number
  readonly source?: Network
  readonly destination?: Network
  readonly sourcePort?: number
  readonly destinationPort?: number
}

const protocols: Readonly<Record<string, { readonly number: number; readonly family?: 4 | 6 }>> = {
  tcp: { number: 6 },
  udp: { number: 17 },
  sctp: { number: 132 },
  icmp: { number: 1, family: 4 },
  icmp6: { number: 58, family: 6 },
}
const withPorts = new Set([6, 17, 132])

/** Every packet. */
export const everything: Match = { text: 'all' }

/** The match, or what is wrong with the text. */
export function parseMatch(text: string): Match | { readonly error: string } {
  const words = text.trim().split(/\s+/).filter(Boolean)
  if (words.length === 0) return { error: 'it is empty; all takes every packet' }
  if (words.length === 1 && words[0] === 'all') return everything
  const found: { -readonly [K in keyof Match]: Match[K] } = { text: words.join(' ') }
  const fail = (reason: string) => ({ error: reason })
  const set = <K extends keyof Match>(key: K, value: Match[K]): string | undefined => {
    if (found[key] !== undefined && found[key] !== value) return `it asks for two of ${wordsFor[key]}`
    found[key] = value
    return undefined
  }
  for (let k = 0; k < words.length; k++) {
    const word = words[k]
    if (k > 0 && word === 'and') continue
    let trouble: string | undefined
    if (word === 'ip' || word === 'ip6') trouble = set('family', word === 'ip' ? 4 : 6)
    else if (Object.hasOwn(protocols, word)) {
      const { number, family } = protocols[word]
      trouble = set('protocol', number) ?? (family && set('family', family))
    } else if (word === 'src' || word === 'dst') {
      const [kind, value] = [words[++k], words[++k]]
      const source = word === 'src'
      if (value === undefined) return fail(`after ${word} comes port, host or net with a value`)
      if (kind === 'port') {
        if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) return fail(`${value} is no port`)
        trouble = set(source ? 'sourcePort' : 'destinationPort', Number(value))
      } else if (kind === 'host' || kind === 'net') {
        const network = networkOf(value, kind === 'host')
        if (network === undefined) return fail(`${value} is no ${kind === 'host' ? 'address' : 'network'}`)
        trouble =
          set('family', network.bytes.length === 4 ? 4 : 6) ?? set(source ? 'source' : 'destination', network)
      } else return fail(`after ${word} comes port, host or net, not ${kind}`)
    } else if (word === 'port' || word === 'host' || word === 'net')
      return fail(`say src ${word} or dst ${word}: one rule of a network card matches one direction`)
    else if (word === 'or' || word === 'not')
      return fail(`one rule of a network card cannot say ${word}; only and`)
    else return fail(`it does not know the word ${word}`)
    if (trouble !== undefined) return fail(trouble)
  }
  const ports = found.sourcePort !== undefined || found.destinationPort !== undefined
  if (ports && !withPorts.has(found.protocol ?? -1))
    return fail('ports belong to a protocol: say tcp, udp or sctp too')
  return found
}

const wordsFor: Readonly<Record<keyof Match, string>> = {
  text: 'text',
  family: 'IP version',
  protocol: 'protocol',
  source: 'source address',
  destination: 'destination address',
  sourcePort: 'source port',
  destinationPort: 'destination port',
}

/** Reads `10.0.0.1`, or with a prefix unless it is to be one host; undefined for anything else. */
export function networkOf(text: string, host: boolean): Network | undefined {
  const [address, prefix, more] = text.split('/')
  const four = parseIpv4(address)
  const bytes =
    four === undefined
      ? parseIpv6(address)
      : Uint8Array.from([four >>> 24, four >>> 16, four >>> 8, four], byte => byte & 255)
  if (bytes === undefined || more !== undefined) return undefined
  if (prefix === undefined) return { bytes, prefix: 8 * bytes.length }
  if (host || !/^\d{1,3}$/.test(prefix) || Number(prefix) > 8 * bytes.length) return undefined
  return { bytes, prefix: Number(prefix) }
}
