// Labs to choose from by name. Addresses are the same in all of them: the client is 10.1.0.2, the server 10.2.0.2.
//
// Every end knows its neighbours, so that programs see what people send and nothing else.

import type { LabDescription, PairDescription } from './description.js'

const cable = (
  [left, leftDevice, leftAddress]: readonly [string, string, string],
  [right, rightDevice, rightAddress]: readonly [string, string, string],
): PairDescription => ({
  staticNeighbours: true,
  ends: [
    { namespace: left, device: leftDevice, addresses: [leftAddress] },
    { namespace: right, device: rightDevice, addresses: [rightAddress] },
  ],
})

const hosts = {
  client: { routes: [{ to: 'default', via: '10.1.0.1' }] },
  server: { routes: [{ to: 'default', via: '10.2.0.1' }] },
}

/**
 * The box hangs on an arm of the router between the hosts. Packets that the router receives by the devices in `from`
 * visit the box first; what its program transmits comes back to the router and goes on to where it was sent. So does
 * what reaches the box's own kernel, which routes: without a program the box lets everything through.
 */
export function oneArm(from: readonly ('client' | 'server')[]): LabDescription {
  // Both ends of the arm have one hardware address: a frame that comes back unchanged is for the router.
  const hardwareAddress = '02:00:00:00:00:03'
  return {
    namespaces: {
      ...hosts,
      router: { forward: true, detours: from.map(device => ({ from: device, via: '10.3.0.2' })) },
      box: { forward: true, routes: [{ to: 'default', via: '10.3.0.1' }] },
    },
    pairs: [
      cable(['client', 'eth0', '10.1.0.2/24'], ['router', 'client', '10.1.0.1/24']),
      cable(['server', 'eth0', '10.2.0.2/24'], ['router', 'server', '10.2.0.1/24']),
      {
        staticNeighbours: true,
        ends: [
          { namespace: 'router', device: 'box', addresses: ['10.3.0.1/24'], hardwareAddress, xdp: 'pass' },
          { namespace: 'box', device: 'eth0', addresses: ['10.3.0.2/24'], hardwareAddress },
        ],
      },
    ],
  }
}

/** The box is the router between the hosts, with a device towards each. */
const inLine: LabDescription = {
  namespaces: { ...hosts, box: { forward: true } },
  pairs: [
    cable(['client', 'eth0', '10.1.0.2/24'], ['box', 'client', '10.1.0.1/24']),
    cable(['server', 'eth0', '10.2.0.2/24'], ['box', 'server', '10.2.0.1/24']),
  ].map(pair => ({
    ...pair,
    // The box's programs may send out of either device.
    ends: [{ ...pair.ends[0], xdp: 'pass' as const }, pair.ends[1]] as const,
  })),
}

/** Two hosts on one cable. */
const pair: LabDescription = {
  namespaces: { client: {}, server: {} },
  pairs: [cable(['client', 'eth0', '10.1.0.2/24'], ['server', 'eth0', '10.1.0.1/24'])].map(
    ({ ends, ...rest }) => ({ ...rest, ends: [{ ...ends[0], xdp: 'pass' as const }, ends[1]] as const }),
  ),
}

export interface Topology {
  readonly summary: string
  readonly description: LabDescription
}

/** By name; the first is the default. */
export const topologies: Readonly<Record<string, Topology>> = {
  'one-arm': {
    summary:
      'client and server, a router between them, and a box that the client’s packets visit on their way',
    description: oneArm(['client']),
  },
  'one-arm-both': {
    summary: 'the same, and the server’s packets visit the box too',
    description: oneArm(['client', 'server']),
  },
  'in-line': {
    summary: 'client and server with the box in between, which routes',
    description: inLine,
  },
  pair: { summary: 'client and server on one cable', description: pair },
}

export const defaultTopology = 'one-arm'
