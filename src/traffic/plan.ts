/**
 * Plans a flow of a given number of packets and bytes into a slot of the columns: how many data packets each side
 * sends, how large they are, how the flow closes. `dialogue.ts` then says it.
 */

import { closes, phases } from './dialogue.js'
import type { FlowColumns } from './dialogue.js'
import { dataAmong, overhead } from './sizes.js'

/** What a flow's packets may be. */
export interface FlowShape {
  /** The client's share of the data packets. */
  readonly up: number
  /** Largest payload by law, and by the frame limit (as if cut when sent). */
  readonly segment: number
  readonly frameLimit: number
}

/** Plans UDP: `total` packets with `bytes` payload bytes together. */
export function planUdp(
  flows: FlowColumns,
  slot: number,
  total: number,
  bytes: number,
  shape: FlowShape,
): void {
  const most = Math.min(shape.segment, shape.frameLimit - (flows.v6[slot] === 1 ? 62 : 42))
  const full = Math.min(most, Math.ceil(bytes / total))
  flows.phase[slot] = phases.udp
  flows.up[slot] = total
  flows.full[slot] = full
  flows.upLast[slot] = Math.max(0, Math.min(full, bytes - full * (total - 1)))
  flows.down[slot] = Math.round(shape.up * 0x1_0000)
  flows.turn[slot] = 0x1_0000 - flows.down[slot]
}

/** Plans TCP: `total` packets (2 or more), of which the data packets carry `bytes` payload bytes together. */
export function planTcp(
  flows: FlowColumns,
  slot: number,
  total: number,
  bytes: number,
  byReset: boolean,
  shape: FlowShape,
): void {
  const { up, frameLimit, segment } = shape
  const around = overhead(total, byReset)
  flows.phase[slot] = phases.syn
  flows.unacknowledged[slot] = 0
  flows.extra[slot] = 0
  if (total < 4) {
    flows.close[slot] = total === 2 ? closes.refused : closes.refusedLate
    return
  }
  flows.close[slot] = around === 4 ? closes.reset : around === 6 ? closes.three : closes.four
  const data = dataAmong(total - around)
  const fromClient = data < 2 ? data : Math.max(1, Math.min(data - 1, Math.round(data * up)))
  const fromServer = data - fromClient
  flows.up[slot] = fromClient
  flows.down[slot] = fromServer
  flows.extra[slot] = total - around - data - (fromClient >> 1) - (fromServer >> 1)
  // Each side's last data packet takes half of what the bytes leave of the last segments.
  const most = Math.min(segment, frameLimit - (flows.v6[slot] === 1 ? 74 : 54))
  const full = bytes > (data - 1) * segment ? segment : Math.ceil(bytes / Math.max(1, data))
  const slack = data * full - bytes
  const half = fromServer > 0 ? slack >> 1 : slack
  flows.full[slot] = Math.min(most, full)
  flows.upLast[slot] = Math.max(1, Math.min(most, full - half))
  flows.downLast[slot] = Math.max(1, Math.min(most, full - (slack - half)))
}
