// What a lab consists of, as the kernel shows it now.

import type { Lab } from '../../lab/lab.js'
import { formatIpv4, formatIpv6 } from '../../state/address.js'
import { addresses, interfaces } from '../../sys/interfaces.js'
import type { InterfaceAddress } from '../../sys/interfaces.js'
import { grid } from '../grid.js'

export interface LabDevice {
  readonly namespace: string
  readonly device: string
  readonly index: number
  readonly addresses: readonly string[]
  readonly hardwareAddress: string
  readonly mtu: number
  readonly queues: number
  /** Modes of the XDP programs on it. */
  readonly xdp: readonly string[]
}

/** All devices of a lab but loopback. */
export const devicesOf = (lab: Lab): LabDevice[] =>
  lab.namespaces.flatMap(namespace =>
    lab.inNamespace(namespace, () => {
      const all = addresses()
      return interfaces()
        .filter(({ loopback }) => !loopback)
        .map(({ name, index, address, mtu, receiveQueues, xdp }) => ({
          namespace,
          device: name,
          index,
          addresses: all.filter(a => a.interfaceIndex === index).map(addressText),
          hardwareAddress: address,
          mtu,
          queues: receiveQueues,
          xdp: xdp.map(({ mode }) => mode),
        }))
    }),
  )

const addressText = ({ family, bytes, prefix }: InterfaceAddress): string =>
  `${family === 'ipv6' ? formatIpv6(bytes) : formatIpv4(Buffer.from(bytes).readUInt32BE())}/${prefix}`

const columns = ['namespace', 'device', 'index', 'address', 'hardware address', 'mtu', 'queues', 'XDP'].map(
  title => ({ title, right: ['index', 'mtu', 'queues'].includes(title) }),
)

/** A table of them. */
export const devicesText = (devices: readonly LabDevice[]): string =>
  grid(
    columns,
    devices.map(d => [
      d.namespace,
      d.device,
      String(d.index),
      d.addresses.join(', ') || '-',
      d.hardwareAddress,
      String(d.mtu),
      String(d.queues),
      d.xdp.join(', ') || '-',
    ]),
  )
