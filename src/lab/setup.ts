// From a description to the steps that make it: lines for `ip -batch`, kernel settings and offloads. Pure.

import { hardwareAddressOf, usesIpv6 } from './description.js'
import type { EndDescription, LabDescription } from './description.js'

/** Everything that has to be done, in the order of the fields. */
export interface Setup {
  /** Lines for ip in the namespace we are in: the namespaces. */
  readonly namespaces: readonly string[]
  /** Kernel settings by namespace: path below /proc/sys and value. */
  readonly settings: readonly (readonly [namespace: string, path: string, value: string])[]
  /** Lines for ip in the namespace we are in: the devices, made where they belong. */
  readonly devices: readonly string[]
  /** Lines for ip in each namespace: addresses, neighbours, devices up. */
  readonly addresses: ReadonlyMap<string, readonly string[]>
  /** Lines for ip in each namespace once all devices are up. */
  readonly routes: ReadonlyMap<string, readonly string[]>
  /** Devices with a fixed XDP program. */
  readonly fixed: readonly EndDescription[]
  /** Devices whose packets leave with checksums computed and in segments. */
  readonly withoutOffloads: readonly EndDescription[]
}

/** The setup of a description without problems; `full` gives a namespace's name on this machine. */
export function setupOf(description: LabDescription, full: (namespace: string) => string): Setup {
  const names = Object.keys(description.namespaces)
  const each = <T>(lines: (namespace: string) => readonly T[]): Map<string, readonly T[]> =>
    new Map(names.map(name => [name, lines(name)]))
  return {
    namespaces: names.map(name => `netns add ${full(name)}`),
    settings: names.flatMap(name => settings(description, name)),
    devices: description.pairs.map((_, pair) => deviceLine(description, pair, full)),
    addresses: each(name => [
      'link set dev lo up',
      ...description.pairs.flatMap((_, pair) => addressLines(description, pair, name)),
    ]),
    routes: each(name => [
      ...(description.namespaces[name].routes ?? []).map(({ to, via, device }) =>
        ['route add', to, via && `via ${via}`, device && `dev ${device}`].filter(Boolean).join(' '),
      ),
      ...(description.namespaces[name].detours ?? []).flatMap(({ from, via }, k) => {
        const family = via.includes(':') ? '-6 ' : ''
        return [
          `${family}route add default via ${via} table ${detourTable + k}`,
          `${family}rule add iif ${from} lookup ${detourTable + k}`,
        ]
      }),
    ]),
    fixed: description.pairs.flatMap(pair => pair.ends).filter(end => end.xdp !== undefined),
    withoutOffloads: description.pairs.filter(pair => !pair.offloads).flatMap(pair => pair.ends),
  }
}

/** Number of the routing table of a namespace's first detour. */
const detourTable = 100

function settings(description: LabDescription, name: string): [string, string, string][] {
  const set = (path: string, value: number): [string, string, string] => [name, `net/${path}`, String(value)]
  const forward = description.namespaces[name].forward ? 1 : 0
  // A detour comes back by another device than its sender is routed by, and goes out where it came in: as wanted.
  const filter = ['rp_filter', 'send_redirects'].flatMap(name =>
    ['all', 'default'].map(scope => set(`ipv4/conf/${scope}/${name}`, 0)),
  )
  if (!usesIpv6(description, name))
    return [
      set('ipv6/conf/all/disable_ipv6', 1),
      set('ipv6/conf/default/disable_ipv6', 1),
      set('ipv4/ip_forward', forward),
      ...filter,
    ]
  return [
    // Addresses are usable at once and nothing is sent to look for routers.
    set('ipv6/conf/default/accept_dad', 0),
    set('ipv6/conf/default/accept_ra', 0),
    set('ipv6/conf/default/router_solicitations', 0),
    set('ipv4/ip_forward', forward),
    set('ipv6/conf/all/forwarding', forward),
    ...filter,
  ]
}

function deviceLine(description: LabDescription, pair: number, full: (namespace: string) => string): string {
  const { ends, queues = 1, mtu = 1500 } = description.pairs[pair]
  const end = (k: 0 | 1): string =>
    `name ${ends[k].device} netns ${full(ends[k].namespace)} address ${hardwareAddressOf(description, pair, k)} ` +
    `mtu ${mtu} numrxqueues ${queues} numtxqueues ${queues}`
  return `link add ${end(0)} type veth peer ${end(1)}`
}

function addressLines(description: LabDescription, pair: number, name: string): string[] {
  const { ends, staticNeighbours } = description.pairs[pair]
  return ([0, 1] as const)
    .filter(k => ends[k].namespace === name)
    .flatMap(k => {
      const { device, addresses = [] } = ends[k]
      const other = ends[1 - k].addresses ?? []
      const neighbours = staticNeighbours ? other.map(address => address.replace(/\/.*/, '')) : []
      const hardware = hardwareAddressOf(description, pair, k === 0 ? 1 : 0)
      return [
        ...addresses.map(address => `address add ${address} dev ${device}`),
        `link set dev ${device} up`,
        ...neighbours.map(to => `neighbour add ${to} lladdr ${hardware} dev ${device} nud permanent`),
      ]
    })
}
