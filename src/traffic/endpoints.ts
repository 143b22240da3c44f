/**
 * Who talks to whom: addresses and ports of each flow, from its ordinal alone.
 *
 * No two flows of a trace share a 5-tuple: the pair (client, client port) belongs to one flow, for as many flows as
 * there are clients times 64,512. Clients lie in 10.0.0.0/8 and 2001:db8:a::/48, servers in 172.16.0.0/16 and
 * 2001:db8:b::/48, spoofed sources in 100.64.0.0/10, knockers in 192.0.2.0/24 and above it. An address is held as
 * one 32-bit word; for IPv6 it is the last word, the prefix being fixed.
 */

import { Keyed } from './random.js'
import type { ResolvedTrace } from './specification.js'

const CLIENT_BASE = 0x0a000001
const SERVER_BASE = 0xac100001
const SPOOFED_BASE = 0x64400000
const KNOCKER_BASE = 0xc0000201

export const PORT_LOW = 1024
export const PORTS = 64_512
export const KNOCK_PORTS = [7001, 7002, 7003] as const
export const SSH_PORT = 22

/** Server ports by protocol, the frequent ones repeated. UDP's are those whose payload no dissector has a view of. */
const tcpPorts = [443, 443, 443, 443, 443, 443, 80, 80, 80, 22, 25, 143, 993, 3306, 6379, 8080]
const udpPorts = [9, 9, 9, 9, 7, 7, 7, 7, 7777, 7777, 9999, 9999, 12_345, 20_000, 33_434, 40_000]

const sites = { server: 32, port: 33, clientPort: 34, version: 35, source: 36, sourcePort: 37 }

export class Endpoints {
  // The endpoints of the flow last asked for.
  client = 0
  server = 0
  clientPort = 0
  serverPort = 0
  v6 = 0

  readonly #trace: ResolvedTrace
  readonly #keyed: Keyed

  constructor(trace: ResolvedTrace) {
    this.#trace = trace
    this.#keyed = new Keyed(trace.seed)
  }

  /** Fills the fields for an ordinary flow. Servers are skewed: the first tenth takes about a third of the flows. */
  ofFlow(ordinal: number, udp: boolean): void {
    const { clients, servers, ipv6 } = this.#trace
    const keyed = this.#keyed
    const client = ordinal % clients
    const turn = Math.floor(ordinal / clients)
    this.client = (CLIENT_BASE + client) | 0
    this.clientPort = PORT_LOW + ((turn + keyed.u32(client, sites.clientPort)) % PORTS)
    const skewed = keyed.unit(ordinal, sites.server)
    this.server = (SERVER_BASE + Math.floor(skewed * skewed * servers)) | 0
    const ports = udp ? udpPorts : tcpPorts
    this.serverPort = ports[keyed.u32(ordinal, sites.port) & 15]
    this.v6 = keyed.unit(ordinal, sites.version) < ipv6 ? 1 : 0
  }

  /** Fills the fields for a knocker: each has an address of its own. */
  ofKnocker(ordinal: number, knocker: number): void {
    this.client = (KNOCKER_BASE + knocker) | 0
    this.clientPort = PORT_LOW + (this.#keyed.u32(ordinal, sites.clientPort) % (PORTS - 16))
    this.server = SERVER_BASE | 0
    this.serverPort = SSH_PORT
    this.v6 = 0
  }

  /** Fills the fields for one packet of a flood on the first server. */
  ofFlood(packet: number, udp: boolean): void {
    const source = this.#keyed.u32(packet, sites.source) % this.#trace.floodSources
    this.client = (SPOOFED_BASE + source) | 0
    this.clientPort = PORT_LOW + (this.#keyed.u32(packet, sites.sourcePort) % PORTS)
    this.server = SERVER_BASE | 0
    this.serverPort = udp ? 9 : 80
    this.v6 = 0
  }
}
