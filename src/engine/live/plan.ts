// What a live run will do, decided before anything is loaded: which queue is served or whether all are funnelled, where
// workers run, and whether the history fits in front of packets or has to be in memory. Plain data in, plain data or a reason out.

import type { HistoryFormat } from '../../wire/history.js'
import { historyLayout, outerBytes } from '../../wire/history.js'

/** An interface as far as plans depend on it. */
export interface LiveInterface {
  readonly name: string
  readonly mtu: number
  /** Receive queues in use. */
  readonly queues: number
}

export interface LivePlan {
  /** The receive queue served; undefined: packets of all go through one CPU's queue first. */
  readonly queue: number | undefined
  readonly funnelCpu: number
  /** CPUs of workers, in turn. */
  readonly cpus: readonly number[]
  /** Whether each frame carries the items that its worker missed, or workers read them in memory. */
  readonly history: LiveHistory
  /** Bytes in front of each packet. */
  readonly headerBytes: number
}

export type LiveHistory = 'value' | 'reference'

/** Room in front of a packet that drivers leave (XDP_PACKET_HEADROOM), less what the kernel puts there: struct xdp_frame. */
export const headroom = 256 - 40

/** Bytes of a frame's page for the packet: the kernel keeps the rest for itself, before and behind. */
const pageRoom = 4096 - 256 - 320

export interface LivePlace {
  readonly interfaces: readonly LiveInterface[]
  /** Generic: packets of one queue come on any CPU, so that they need a funnel. */
  readonly mode: 'native' | 'generic'
  /** Where frames leave for workers elsewhere. */
  readonly out?: LiveInterface
  /** CPUs that are online. */
  readonly online: readonly number[]
}

/** A plan, or why there is none. */
export function planLive(
  { interfaces, mode, out, online }: LivePlace,
  format: HistoryFormat,
  workers: number,
  wanted?: LiveHistory,
): LivePlan | { readonly error: string } {
  const outer = out ? outerBytes : 0
  const byValue = outer + historyLayout(format).packet
  const history = wanted ?? (byValue > headroom && !out ? 'reference' : 'value')
  const headerBytes = history === 'value' ? byValue : historyLayout({ ...format, slots: 0 }).packet
  if (headerBytes > headroom) {
    const most = mostWorkers(format)
    return {
      error:
        `the history of ${workers} workers takes ${headerBytes} bytes in front of each packet, and there is room for ` +
        `${headroom}: this program has room for ${most} worker${most === 1 ? '' : 's'}; --cores ${most}` +
        `${out ? '' : ', or --history reference, in memory'}`,
    }
  }
  const long = interfaces.find(({ mtu }) => mtu + 14 > pageRoom)
  if (long)
    return {
      error:
        `${long.name} has packets of up to ${long.mtu} bytes, and a page has room for ${pageRoom - 14}: ` +
        `ip link set dev ${long.name} mtu ${pageRoom - 14}`,
    }
  const needed = headerBytes + Math.max(...interfaces.map(i => i.mtu))
  if (out && out.mtu < needed)
    return {
      error:
        `frames have up to ${needed} bytes behind their Ethernet header, and ${out.name} takes ${out.mtu}: ` +
        `ip link set dev ${out.name} mtu ${needed}, and at the other end`,
    }
  const isOne = mode === 'native' && interfaces.length === 1 && interfaces[0].queues === 1
  // The first CPU is where most interrupts are.
  const cpus = online.toReversed()
  return { queue: isOne ? 0 : undefined, funnelCpu: online[0], cpus, history, headerBytes }
}

/** The most workers whose history fits. */
export function mostWorkers(format: Omit<HistoryFormat, 'slots'>): number {
  let workers = 1
  while (workers < 64 && historyLayout({ ...format, slots: workers }).packet <= headroom) workers++
  return workers
}
