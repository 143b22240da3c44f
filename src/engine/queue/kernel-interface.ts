// hp0: the way from our rings into the kernel's network stack, and back: an ordinary interface.
//
// It is one end of a veth pair; the other end lives in a namespace without a name that only this process holds, so that
// both vanish with it, however it ends. A frame that is posted to the TX ring of the other end comes in on hp0, without
// ever being seen by JavaScript. Two ways of use:
//
// - *inject*: a TCX program on hp0 moves every packet to another interface, where it arrives as if from the wire: sockets
//   bound to that interface, its addresses and its filters see what they always saw. Replies leave by the kernel's routes.
// - *carry*: hp0 has an address itself, and what the kernel sends by it comes back into our rings.
//
// Why not a tap: it is read and written a packet at a time by system calls, from JavaScript.

import { writeFileSync } from 'node:fs'
import { setOffloads } from '../../sys/ethtool.js'
import { errno } from '../../sys/errno.js'
import { SystemError } from '../../sys/failure.js'
import { call, exit, instructionBytes, moveImmediate } from '../../sys/instruction.js'
import { findInterface } from '../../sys/interfaces.js'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { createTcxLink } from '../../sys/link.js'
import { holdNewNamespace, inNamespace } from '../../sys/namespace.js'
import { NetlinkError } from '../../sys/netlink.js'
import { loadProgram } from '../../sys/program.js'
import { addAddress, bringUp, createVeth, removeDevice } from '../../sys/veth.js'
import { attachXdp } from '../../sys/xdp.js'
import type { QueueLayout } from './layout.js'
import { everything } from './match.js'
import { openPool } from './pool.js'
import type { Pool } from './pool.js'
import { loadSteering } from './steering.js'

export interface KernelInterface {
  readonly name: string
  readonly index: number
  /** Whether it has an address of its own, by which the kernel sends. */
  readonly carries: boolean
  /** One per worker: its sockets lead to the kernel. */
  readonly pools: readonly Pool[]
  /** Why packets do not arrive as if on the other interface, but on hp0; undefined if they do. */
  readonly shortcoming: string | undefined
  close(): void
}

export interface KernelInterfaceOptions {
  /** The interface whose packets are given to the kernel. */
  readonly device: NetworkInterface
  /** Pools of the layout for it, one per worker. */
  readonly pools: readonly number[]
  /** An address for hp0, of 4 or 16 bytes in network order; without one, packets are injected into the device. */
  readonly address?: InterfaceAddress
}

export interface InterfaceAddress {
  readonly bytes: Uint8Array
  readonly prefix: number
}

const mostInterfaces = 100
const REDIRECT_HELPER = 23
const INGRESS = 1

/** Makes it in the namespace of the calling thread, and opens its pools. */
export async function openKernelInterface(
  memory: WebAssembly.Memory,
  layout: QueueLayout,
  { device, pools, address }: KernelInterfaceOptions,
): Promise<KernelInterface> {
  const held = holdNewNamespace()
  const closing: (() => void)[] = [held.close]
  const close = (): void => {
    for (const action of closing.splice(0).toReversed()) action()
  }
  try {
    const name = makePair(device, held.fd, pools.length)
    const near = findInterface(name)!
    const home = removeLater(near.index)
    closing.push(home)
    quieten(name, address?.bytes.length === 16)
    setOffloads(name, { sendChecksum: false, segmentation: false, tcpSegmentation: false })
    bringUp(near.index)
    if (address) addAddress(near.index, address.bytes, address.prefix)
    const shortcoming = address ? undefined : injectInto(device, near, closing)
    const far = inNamespace(held.path, () => {
      quieten('in', false)
      const found = findInterface('in')!
      bringUp(found.index)
      return found
    })
    const opened: Pool[] = []
    closing.push(() => opened.forEach(pool => pool.close()))
    // All sockets are opened before anything is waited for, so while the thread is there.
    const opening = inNamespace(held.path, () => ({
      all: pools.map((k, queue) =>
        openPool(memory, layout, k, {
          interfaceIndex: far.index,
          queue,
          mode: 'copy',
          needWakeup: true,
          busyPoll: 0,
        }),
      ),
    }))
    const settled = await Promise.allSettled(opening.all)
    for (const found of settled) if (found.status === 'fulfilled') opened.push(found.value)
    for (const found of settled) if (found.status === 'rejected') throw found.reason
    if (address) {
      const steering = loadSteering(everything)
      closing.push(() => steering.close())
      for (const pool of opened) steering.setSockets(pool.options.queue, pool.sockets)
      const attachment = inNamespace(held.path, () => attachXdp(steering.program, 'in', 'native'))
      closing.push(() => inNamespace(held.path, () => attachment.detach()))
    }
    return { name, index: near.index, carries: address !== undefined, pools: opened, shortcoming, close }
  } catch (error) {
    close()
    throw error
  }
}

/** Makes a pair with the first free name. */
function makePair(device: NetworkInterface, namespace: number, queues: number): string {
  for (let n = 0; ; n++) {
    const name = `hp${n}`
    try {
      // Packets for the device are addressed to it, so the kernel takes them for its own on an interface of that address.
      createVeth({
        ends: [
          { name, address: device.address },
          { name: 'in', namespace },
        ],
        mtu: device.mtu,
        queues,
      })
      return name
    } catch (error) {
      const taken = error instanceof NetlinkError && error.errno === errno.EEXIST
      if (!taken || n >= mostInterfaces) throw error
    }
  }
}

/** Removes the device from wherever the thread is then: only if it is still there and ours. */
function removeLater(index: number): () => void {
  return () => {
    try {
      removeDevice(index)
    } catch {
      // It goes with its namespace in any case.
    }
  }
}

/** Has the kernel send nothing by itself on an interface, and look at no return path: packets come in where they do. */
function quieten(name: string, address: boolean): void {
  const settings: [string, string][] = [
    [`ipv4/conf/${name}/rp_filter`, '2'],
    [`ipv6/conf/${name}/accept_ra`, '0'],
    [`ipv6/conf/${name}/disable_ipv6`, address ? '0' : '1'],
  ]
  for (const [path, value] of settings)
    try {
      writeFileSync(`/proc/sys/net/${path}`, value)
    } catch (error) {
      // A kernel without IPv6 has no settings for it; a read-only /proc leaves them as they are.
      if (!['ENOENT', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
}

/** Has what comes in on hp0 come in on the device. The reason if that cannot be; then rp_filter 2 lets it pass on hp0. */
function injectInto(
  device: NetworkInterface,
  near: NetworkInterface,
  closing: (() => void)[],
): string | undefined {
  try {
    const program = loadProgram({
      type: 'sched_cls',
      name: 'hairpin_inject',
      instructions: instructionBytes([
        moveImmediate(1, device.index),
        moveImmediate(2, INGRESS),
        call(REDIRECT_HELPER),
        exit,
      ]),
      licence: 'Apache-2.0',
      attachType: 'tcx_ingress',
    })
    closing.push(() => program.close())
    const link = createTcxLink(program, near.index, 'ingress')
    closing.push(() => link.close())
    return undefined
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
    return `TCX programs need Linux 6.6: packets arrive on ${near.name} instead of ${device.name}`
  }
}
