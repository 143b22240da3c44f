// The suite `many`: eight emulated CPUs and a network card of eight queues, which it fills by a hash and a table.

import { addresses, macs } from '../../test/guest/addresses.js'
import type { Kernel } from './kernel.js'
import { runMachine } from './machine.js'
import { missing, requireCommands } from './needs.js'
import { makeNetwork } from './network.js'
import { subjectsOf } from './programs.js'
import { makeTree } from './tree.js'

const cpus = 8
const queues = 8
/** Minutes after which the machine is stopped. */
const limit = 12
/** In the order in which one needs the other. */
const modules = [
  'failover',
  'net_failover',
  'virtio_ring',
  'virtio',
  'virtio_pci_modern_dev',
  'virtio_pci_legacy_dev',
  'virtio_pci',
  'virtio_net',
  'veth',
]
/** Parts of the suite by name, in their order; test/guest/many.ts has them. */
export const parts = ['kernel-workers', 'user-workers', 'table', 'bypass'] as const
const programs = ['port-knocking', 'token-bucket', 'dns-flood']

/** `names` of parts; all if there are none. */
export async function runMany(kernel: () => Kernel, names: readonly string[]): Promise<number> {
  for (const name of names)
    if (!(parts as readonly string[]).includes(name))
      missing(`no part ${name}; there are ${parts.join(', ')}`)
  requireCommands(true)
  const { image, modules: files } = kernel()
  const absent = modules.filter(name => !files.has(name))
  if (files.size === 0)
    missing(
      "this suite needs the kernel's modules: --modules DIR, the folder lib/modules/VERSION of the image",
    )
  const network = makeNetwork(queues)
  try {
    const archive = makeTree({
      files: new Map([
        ['app/programs.bin', subjectsOf(programs)],
        ['app/parts', new TextEncoder().encode((names.length > 0 ? names : parts).join(' '))],
      ]),
      commands: [],
      compiled: [
        ['run', 'programs/port-knocking.ts', '--iface', 'none', '--cores', '7'],
        ['bypass', 'none', '--queue', '0', '--steer', 'all', 'programs/dns-flood.ts'],
      ],
      // What is missing may be built in.
      modules: modules.filter(name => !absent.includes(name)).map(name => files.get(name)!),
      setup: [
        `ip address add ${addresses.guest}/24 dev eth0`,
        `ip address add ${addresses.guestOrders}/24 dev eth1`,
        'ip link set dev eth0 up; ip link set dev eth1 up',
        `busybox arp -i eth0 -s ${addresses.host} ${macs.host}`,
      ],
      test: 'guest/many.js',
    })
    return await network.inside(() => ({
      end: runMachine({ image, archive, cpus, cards: network.cards, limit }),
    })).end
  } finally {
    network.close()
  }
}
