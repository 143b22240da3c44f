// What generate and replay share: a sender for a device or for memory, one transmission, and how it ended.

import { longestPacket } from '../traffic/live-program.js'
import { openLiveSender } from '../traffic/live.js'
import type { LiveSpecification } from '../traffic/live.js'
import { MemorySender } from '../traffic/memory-sender.js'
import { RATE_TOLERANCE, transmit } from '../traffic/transmission.js'
import type { Sender, Transmission } from '../traffic/transmission.js'
import { XdpSender } from '../traffic/xdp-sender.js'
import { pinThread, onlineCpus } from '../sys/cpus.js'
import { findInterface } from '../sys/interfaces.js'
import { Failure, UsageError } from './command.js'
import type { Flags, FlagTable, Io } from './command.js'
import { exit } from './exit.js'
import { integer, isSet, required, share, text } from './flags.js'
import { withKernel, withKernelAsync } from './kernel.js'
import { progressLine } from './progress.js'
import { sentText } from './sending-page.js'
import { quantityOf } from './quantity.js'

export const sendFlags: FlagTable = {
  to: { type: 'string' },
  rate: { type: 'string' },
  'top-speed': { type: 'boolean' },
  seconds: { type: 'string' },
  count: { type: 'string' },
  burst: { type: 'string' },
  by: { type: 'string' },
  queue: { type: 'string' },
  drain: { type: 'string' },
  cpu: { type: 'string' },
  tolerance: { type: 'string' },
  json: { type: 'boolean' },
}

/** Bytes of kernel memory that packets may take. */
const mostBytes = 2 ** 28

export interface Load {
  readonly packets: readonly Uint8Array[]
  /** Packets a second; undefined as fast as possible, or with times. */
  readonly rate: number | undefined
  readonly times?: Float64Array
  readonly span?: number
  /** Packets to send if neither --count nor --seconds says so. */
  readonly count?: number
  /** Said above the result. */
  readonly title: string
  readonly notes?: readonly string[]
}

/** Sends what the flags say; answers the exit code. */
export async function send(load: Load, flags: Flags, io: Io): Promise<number> {
  const to = required(flags, 'to', 'DEVICE')
  const order = orderOf(load, flags)
  const cpu = integer(flags, 'cpu', { least: 0, most: 4095 })
  if (cpu !== undefined && !onlineCpus().includes(cpu)) throw new UsageError(`there is no CPU ${cpu} online`)
  const tolerance = share(text(flags, 'tolerance') ?? String(RATE_TOLERANCE), '--tolerance')
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  const progress = progressLine(io, 'sending')
  let timer: NodeJS.Timeout | undefined
  let sender: (Sender & { readonly sent: number; close(): void }) | undefined
  try {
    if (cpu !== undefined) withKernel(() => pinThread([cpu]))
    const opened = (sender = open(to, load, flags))
    if (opened instanceof XdpSender) await withKernelAsync(() => opened.bind())
    timer = setInterval(
      () => progress.update(opened.sent, opened.sent, Number.isFinite(order.count) ? order.count : undefined),
      200,
    )
    const result = await transmit(opened, load.packets, { ...order, signal: stop.signal }, tolerance)
    progress.clear()
    const by = to === 'memory' ? 'memory' : ways[wayOf(flags)]
    if (isSet(flags, 'json')) io.out(`${JSON.stringify(jsonOf(to, by, load, result))}\n`)
    else io.out(sentText(to, by, load, result))
    if (stop.signal.aborted) return exit.interrupted
    return result.withinTolerance ? exit.ok : exit.no
  } finally {
    clearInterval(timer)
    progress.clear()
    sender?.close()
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt)
  }
}

/** Bytes of the longest packet that a device takes: its MTU, headers and a VLAN tag; and what live frames can be. */
export function longestFor(to: string | undefined): number {
  if (to === undefined || to === 'memory') return longestPacket
  const device = withKernel(() => findInterface(to))
  return device === undefined ? longestPacket : Math.min(longestPacket, device.mtu + 18)
}

function orderOf(load: Load, flags: Flags): { count: number; seconds: number; drain: number } {
  const given = text(flags, 'count')
  const time = text(flags, 'seconds')
  const drain = integer(flags, 'drain', { least: 0, most: 600_000 }) ?? 500
  if (given !== undefined && time !== undefined)
    throw new UsageError('--count and --seconds are two ways to say when it ends; give one')
  const seconds = time === undefined ? Infinity : quantityOf(time, 'seconds')
  if (seconds <= 0) throw new UsageError('--seconds takes more than 0')
  let count = given === undefined ? (load.count ?? Infinity) : quantityOf(given, 'count')
  if (!Number.isFinite(count) && !Number.isFinite(seconds)) return { ...of10(load), drain }
  // A number of packets is exact where a timer is late.
  if (Number.isFinite(seconds) && load.rate !== undefined)
    count = Math.max(1, Math.round(load.rate * seconds))
  else if (Number.isFinite(seconds)) count = Infinity
  return { count, seconds: load.rate === undefined ? seconds : Infinity, drain }
}

/** Ten seconds' worth where nothing is said. */
const of10 = ({ rate }: Load): { count: number; seconds: number } =>
  rate === undefined
    ? { count: Infinity, seconds: 10 }
    : { count: Math.max(1, Math.round(rate * 10)), seconds: Infinity }

function open(
  to: string,
  { packets, rate, times, span }: Load,
  flags: Flags,
): Sender & { readonly sent: number; close(): void } {
  const specification = {
    packets,
    ...(rate !== undefined && { rate }),
    ...(times && { times, ...(span !== undefined && { span }) }),
  }
  const way = wayOf(flags)
  const other = way === 'live' ? 'queue' : 'burst'
  if (text(flags, other) !== undefined)
    throw new UsageError(`--${other} goes with --by ${way === 'live' ? 'af-xdp' : 'live'}`)
  if (to === 'memory') return new MemorySender(specification)
  if (way === 'af-xdp') {
    const queue = integer(flags, 'queue', { least: 0, most: 65_535 }) ?? 0
    return inWords(() => XdpSender.open({ ...specification, device: to, queue }))
  }
  const longest = packets.reduce((most, { length }) => Math.max(most, length), 0)
  if (packets.length * (longest + 16) > mostBytes)
    throw new Failure(
      `${packets.length} packets of up to ${longest} bytes take more than ${mostBytes >> 20} MiB in the kernel; ` +
        'fewer, or shorter ones',
      exit.usage,
    )
  if (longest > longestPacket)
    throw new Failure(`a packet has ${longest} bytes; live frames have ${longestPacket} at most`, exit.usage)
  const burst = integer(flags, 'burst', { least: 1, most: 256 })
  if (burst !== undefined && !Number.isInteger(Math.log2(burst)))
    throw new UsageError(`--burst takes a power of two up to 256, not ${burst}`)
  const live: LiveSpecification = { ...specification, device: to, ...(burst !== undefined && { burst }) }
  return inWords(() => openLiveSender(live))
}

/** What makes packets leave. */
const ways = { live: 'live frames', 'af-xdp': 'AF_XDP' } as const

function wayOf(flags: Flags): keyof typeof ways {
  const given = text(flags, 'by') ?? 'live'
  if (given === 'live' || given === 'af-xdp') return given
  throw new UsageError(`--by takes live or af-xdp, not ${given}`)
}

/** Opens a sender; what it refuses is a mistake of the caller, what the machine refuses is told with its remedy. */
const inWords = <T>(open: () => T): T =>
  withKernel(() => {
    try {
      return open()
    } catch (error) {
      if (error instanceof RangeError) throw new Failure(error.message, exit.usage)
      throw error
    }
  })

const jsonOf = (
  to: string,
  by: string,
  { packets, title, notes = [] }: Load,
  result: Transmission,
): object => ({
  to,
  by,
  what: title,
  packets: packets.length,
  ...result,
  notes,
})
