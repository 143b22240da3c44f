// What a lab consists of: namespaces, and pairs of virtual Ethernet devices between them.
//
// A description is plain data, so that it can come from a file. `problemsOf` finds everything that would not work
// before anything is made.

/** A throw-away topology. */
export interface LabDescription {
  /** Namespaces by name. */
  readonly namespaces: Readonly<Record<string, NamespaceDescription>>
  readonly pairs: readonly PairDescription[]
}

export interface NamespaceDescription {
  /** Whether the kernel routes packets between the devices of this namespace; false if absent. */
  readonly forward?: boolean
  readonly routes?: readonly RouteDescription[]
  readonly detours?: readonly DetourDescription[]
}

export interface RouteDescription {
  /** Destination with prefix, `10.1.0.0/16`, or `default`. */
  readonly to: string
  /** Address of the next router; or `device` for what is reached directly. */
  readonly via?: string
  readonly device?: string
}

/** A visit on the way: what comes in by one device goes to an address before the routes apply. */
export interface DetourDescription {
  /** Device of the namespace. */
  readonly from: string
  /** Address that a device of the namespace reaches directly. */
  readonly via: string
}

/** Two veth devices joined by a cable. */
export interface PairDescription {
  readonly ends: readonly [EndDescription, EndDescription]
  /** Receive and send queues of both ends; 1 if absent. */
  readonly queues?: number
  /** Of both ends; 1500 if absent. Native XDP without fragments needs at most about 3500. */
  readonly mtu?: number
  /** Makes each end know the other's hardware address, so that no ARP or neighbour discovery is needed. */
  readonly staticNeighbours?: boolean
  /**
   * Whether the kernel leaves checksums and segmentation of what it sends to the device, as it does by default. A veth
   * never computes them, so programs would see wrong checksums; false if absent.
   */
  readonly offloads?: boolean
}

export const fixedVerdicts = ['pass', 'drop'] as const
export type FixedVerdict = (typeof fixedVerdicts)[number]

export interface EndDescription {
  readonly namespace: string
  /** Name of the device, unique in its namespace, at most 15 characters. */
  readonly device: string
  /** Addresses with prefix: `10.0.0.1/24`, `fd00::1/64`. A namespace without an IPv6 address has IPv6 turned off. */
  readonly addresses?: readonly string[]
  /** `02:00:00:00:00:01`; if absent, made from the numbers of the pair and the end. */
  readonly hardwareAddress?: string
  /**
   * A fixed XDP program: `pass` leaves every packet to the kernel, `drop` ends it, and the device counts it. A program
   * at the other end that sends packets back (verdict transmit) needs one of them here, or they are lost: so veth works.
   */
  readonly xdp?: FixedVerdict
}

/** Hardware address of an end: the one given, or 02:00:00:00:PAIR:END, both from 1. */
export function hardwareAddressOf(description: LabDescription, pair: number, end: 0 | 1): string {
  const hex = (n: number): string => n.toString(16).padStart(2, '0')
  return description.pairs[pair].ends[end].hardwareAddress ?? `02:00:00:00:${hex(pair + 1)}:${hex(end + 1)}`
}

/** Whether a namespace has an IPv6 address. */
export function usesIpv6(description: LabDescription, namespace: string): boolean {
  return description.pairs.some(({ ends }) =>
    ends.some(end => end.namespace === namespace && end.addresses?.some(address => address.includes(':'))),
  )
}

/** A name of a namespace, or of a lab that stays. */
export const namePattern = /^[a-z][a-z0-9]{0,20}$/
const devicePattern = /^[A-Za-z][A-Za-z0-9_.-]{0,14}$/
const plainAddress = /^[0-9a-fA-F:.]+$/
const addressPattern = /^[0-9a-fA-F:.]+\/\d{1,3}$/
const routePattern = /^(default|[0-9a-fA-F:.]+(\/\d{1,3})?)$/
const hardwarePattern = /^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$/

/** Why a description cannot be made into a lab, one line for each reason; empty if it can. */
export function problemsOf({ namespaces, pairs }: LabDescription): string[] {
  const problems: string[] = []
  const devices = new Set(Object.keys(namespaces).map(name => `${name}:lo`))
  for (const name of Object.keys(namespaces))
    if (!namePattern.test(name))
      problems.push(`'${name}' is no name of a namespace: lower-case letters and digits, at most 21`)
  if (pairs.length > 255) problems.push(`a lab has at most 255 pairs, not ${pairs.length}`)
  for (const { ends, queues = 1, mtu = 1500 } of pairs) {
    const what = ends.map(({ namespace, device }) => `${namespace}:${device}`).join(' - ')
    if (!Number.isInteger(queues) || queues < 1 || queues > 64)
      problems.push(`${what}: ${queues} is no number of queues from 1 to 64`)
    if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65535)
      problems.push(`${what}: ${mtu} is no MTU from 68 to 65535`)
    for (const end of ends) {
      const name = `${end.namespace}:${end.device}`
      if (!(end.namespace in namespaces)) problems.push(`${name}: there is no namespace ${end.namespace}`)
      if (!devicePattern.test(end.device))
        problems.push(`'${end.device}' is no name of a device: at most 15 letters, digits, _ . -`)
      if (devices.has(name)) problems.push(`${name} is there twice`)
      devices.add(name)
      for (const address of end.addresses ?? [])
        if (!addressPattern.test(address))
          problems.push(`${name}: '${address}' is no address with prefix, such as 10.0.0.1/24`)
      if (end.hardwareAddress !== undefined && !hardwarePattern.test(end.hardwareAddress))
        problems.push(`${name}: '${end.hardwareAddress}' is no hardware address of one device`)
    }
  }
  for (const [name, { routes = [], detours = [] }] of Object.entries(namespaces)) {
    for (const { from, via } of detours) {
      if (!devices.has(`${name}:${from}`)) problems.push(`${name}: there is no device ${from} for a detour`)
      if (!plainAddress.test(via)) problems.push(`${name}: '${via}' is no address`)
    }
    for (const { to, via, device } of routes) {
      if (!routePattern.test(to)) problems.push(`${name}: '${to}' is no destination of a route`)
      if (via === undefined && device === undefined)
        problems.push(`${name}: the route to ${to} has neither via nor device`)
      if (via !== undefined && !plainAddress.test(via)) problems.push(`${name}: '${via}' is no address`)
      if (device !== undefined && !devices.has(`${name}:${device}`))
        problems.push(`${name}: there is no device ${device}`)
    }
  }
  return problems
}
