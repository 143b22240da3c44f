/**
 * Which CPU does the kernel's part of receiving: the one that sends into a veth pair, in its softirq, or another, by threaded
 * NAPI (Linux 5.12; here by netlink's netdev family, 6.17, which tells the thread's number). The setting goes with the device.
 */

import { execFileSync } from 'node:child_process'
import { genericHeader, netdevFamily } from '../../src/sys/netdev.js'
import { attributesOf, netlinkFamily, numberOf, request } from '../../src/sys/netlink.js'

const command = { get: 11, set: 14 } as const
const attribute = { interface: 1, id: 2, thread: 4, threaded: 8 } as const

/** What polls a queue of a device. */
export interface Napi {
  readonly id: number
  /** Number of its kernel thread; 0 without one. */
  readonly thread: number
  readonly threaded: boolean
}

/** Those of a device of the calling thread's namespace; a veth has some only while an XDP program is attached. */
export function napis(interfaceIndex: number): Napi[] {
  return ask(command.get, [[attribute.interface, interfaceIndex]], true).map(({ payload }) => {
    const found = attributesOf(payload.subarray(4))
    return {
      id: numberOf(found.get(attribute.id)),
      thread: numberOf(found.get(attribute.thread)),
      threaded: numberOf(found.get(attribute.threaded)) === 1,
    }
  })
}

/** Gives each a thread on `cpu`, under the scheduling of this process. Throws if the kernel then shows none. */
export function receiveOn(interfaceIndex: number, cpu: number): void {
  for (const { id } of napis(interfaceIndex))
    ask(command.set, [[attribute.id, id], [attribute.threaded, 1]], false) // prettier-ignore
  const found = napis(interfaceIndex)
  if (found.length === 0 || found.some(napi => !napi.threaded || napi.thread === 0))
    throw new Error('the kernel shows no thread that receives: threaded NAPI by netlink needs Linux 6.17')
  for (const { thread } of found) execFileSync('taskset', ['-p', '-c', String(cpu), String(thread)])
}

const ask = (
  number: number,
  attributes: Parameters<typeof request>[0]['attributes'] & object,
  dump: boolean,
): ReturnType<typeof request> =>
  request({
    family: netlinkFamily.generic,
    type: netdevFamily()!,
    header: genericHeader(number),
    attributes,
    dump,
    name: 'netlink(netdev NAPI)',
  })
