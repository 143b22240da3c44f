// A sender of constant rate: packets out of a device by live frames, at exact times, up to a given number.
//
// For labs and benchmarks: it needs root, Linux 5.18, and a device that takes redirected frames; a veth does as soon as
// its other end has an XDP program or generic receive offload on. The mean rate is exact, because times are reckoned
// from the first packet; after a stall, packets leave faster until it is made up for, and the report tells how late
// the latest was. It counts what the program sent, and says so when that is not what was asked for. Sending keeps this thread busy, with pauses for its other work; give it a thread and a CPU of its
// own where that matters.

import { closeSync, openSync } from 'node:fs'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { up } from '../lab/lab.js'
import type { Lab } from '../lab/lab.js'
import { SystemError, Unsupported } from '../sys/failure.js'
import { findInterface } from '../sys/interfaces.js'
import type { NetworkInterface } from '../sys/interfaces.js'
import type { XdpLink } from '../sys/link.js'
import { LiveFrameRun, park } from '../sys/live-frames.js'
import { mapMemory } from '../sys/map-memory.js'
import type { MapMemory } from '../sys/map-memory.js'
import { inNamespace } from '../sys/namespace.js'
import { xdpFeatures } from '../sys/netdev.js'
import { loadLiveProgram, longestPacket, longestSpin, state } from './live-program.js'
import type { LiveProgram } from './live-program.js'

/** What to send. */
export interface LiveSpecification {
  /** Whole frames, 14 to 3408 bytes each, sent in turn. Frames of one length up to 64 bytes are sent fastest. */
  readonly packets: readonly Uint8Array[]
  /** The device, by name or index, in the namespace of the calling thread at `openLiveSender`. */
  readonly device: string | number
  /** Packets per second; as fast as possible if absent. */
  readonly rate?: number
  /**
   * Packets that leave back to back, a power of two from 1 to 256; by default what the rate needs: 1 up to a million a
   * second, 16 up to 5 million, 64 beyond, 256 without a rate.
   */
  readonly burst?: number
  /**
   * When each packet shall leave, instead of a rate: ns from the first one, never less than the one before. The packets
   * begin again `span` ns after they began.
   */
  readonly times?: Float64Array
  readonly span?: number
}

/** What was sent, as counted by the program that sent it. */
export interface LiveReport {
  readonly sent: number
  /** From the first packet's time to the end of the last call. */
  readonly seconds: number
  /** Packets per second that were asked for; undefined for as many as possible. */
  readonly requested: number | undefined
  /** Packets per second that were offered to the device over that time. */
  readonly rate: number
  /** Whether the packets that were due by the end were sent, but for 1 % or 20 ms; true if no rate was requested. */
  readonly kept: boolean
  /** Nanoseconds by which the latest packet left after its time; 0 without a rate. */
  readonly latest: number
  /** Packets that the device dropped meanwhile, whoever sent them: its other end was full or down. */
  readonly dropped: number
}

/** The most frames that a call makes: about a millisecond. */
const framesPerCall = 16_384
/** A call's share of a second's packets, so that a slow rate gets short calls. */
const callsPerSecond = 500
/** How far behind its schedule a sender may end, as a part of the time and in seconds, and still have kept its rate. */
const tolerance = 0.01
const leastTolerance = 0.02
/** Milliseconds of sending after which the thread's other work has its turn. */
const slice = 10
/** Nanoseconds before a packet's time at which a sleep ends, and below which none is worth it: timers are coarse. */
const wakeBefore = BigInt(longestSpin)

/** Sends packets; made by `openLiveSender`. */
export class LiveSender {
  readonly device: NetworkInterface
  readonly #program: LiveProgram
  readonly #memory: MapMemory
  readonly #view: DataView
  readonly #frames: LiveFrameRun
  #rate: number | undefined
  readonly #burst: number
  readonly #times: Float64Array | undefined
  readonly #span: number
  readonly #counters: () => NetworkInterface['counters']
  readonly #release: () => void

  constructor(
    specification: LiveSpecification,
    device: NetworkInterface,
    program: LiveProgram,
    counters: () => NetworkInterface['counters'],
    release: () => void,
  ) {
    const { packets, times, span = 0 } = specification
    const rate = times ? (packets.length * 1e9) / Math.max(span, 1) : specification.rate
    const burst = times ? 1 : specification.burst
    this.#times = times
    this.#span = Math.max(1, Math.round(span))
    this.device = device
    this.#program = program
    this.#memory = mapMemory(program.state)
    this.#view = new DataView(this.#memory.bytes.buffer, this.#memory.bytes.byteOffset)
    const longest = packets.reduce((a, b) => (b.length > a.length ? b : a))
    this.#rate = rate
    this.#burst = burst ?? burstFor(rate)
    this.#frames = new LiveFrameRun(program.program, { data: longest, batch: this.#burst })
    this.#counters = counters
    this.#release = release
    this.#set('burstMask', BigInt(this.#burst - 1))
  }

  /** Sends `count` packets, from the first one on; ends early when the signal says so. */
  async send(count: number, signal?: AbortSignal): Promise<LiveReport> {
    const before = this.#counters()
    const began = process.hrtime.bigint()
    this.#set('sent', 0n)
    this.#set('next', 0n)
    this.#set('latest', 0n)
    this.#set('due', began)
    this.#set(
      'interval',
      this.#rate === undefined ? 0n : BigInt(Math.round((1e9 * this.#burst) / this.#rate)),
    )
    this.#set('span', BigInt(this.#span))
    this.#set('limit', BigInt(count))
    while (this.sent < count) {
      if (signal?.aborted) break
      const wait = this.#wait()
      if (wait > wakeBefore && !(await slept(Number(wait - wakeBefore) / 1e6, signal))) break
      const end = performance.now() + slice
      do this.#frames.run(this.#attempts(count))
      while (this.sent < count && performance.now() < end && this.#wait() < wakeBefore)
      await setImmediate()
    }
    const wait = this.#wait()
    // Nothing leaves after this, even if somebody runs the program.
    this.#set('limit', 0n)
    const seconds = Number(process.hrtime.bigint() - began) / 1e9
    const after = this.#counters()
    const latest = this.#rate === undefined ? 0 : Number(this.#get('latest'))
    const rate = this.sent / seconds
    const behind = this.#rate === undefined ? 0 : -Number(wait) / 1e9
    return {
      sent: this.sent,
      seconds,
      requested: this.#rate,
      rate,
      kept: behind <= Math.max(tolerance * seconds, leastTolerance),
      latest,
      dropped: after.sendDropped - before.sendDropped,
    }
  }

  /** What the device has sent and dropped since it exists, whoever sent it. */
  completions(): { readonly sent: number; readonly dropped: number } {
    const { sentPackets, sendDropped } = this.#counters()
    return { sent: sentPackets, dropped: sendDropped }
  }

  /** Another rate from the next `send` on; as fast as possible if undefined. The burst stays as it is. */
  pace(rate: number | undefined): void {
    this.#rate = rate
  }

  /** Packets sent so far in this or the last `send`. */
  get sent(): number {
    return Number(this.#get('sent'))
  }

  /** Removes everything that the sender made. Harmless when repeated. */
  close(): void {
    if (this.#program.program.closed) return
    this.#memory.unmap()
    this.#program.close()
    this.#release()
  }

  /** Nanoseconds until the next packet is due. */
  #wait(): bigint {
    const own = this.#times ? BigInt(Math.round(this.#times[Number(this.#get('next'))])) : 0n
    return this.#get('due') + own - process.hrtime.bigint()
  }

  /** Frames of the next call: whole bursts, and no more than there is left to send. */
  #attempts(count: number): number {
    const left = count - this.sent
    if (this.#rate === undefined) return Math.min(left, framesPerCall)
    const share = Math.ceil(this.#rate / callsPerSecond / this.#burst) * this.#burst
    return Math.min(left, framesPerCall, share)
  }

  #get(field: keyof typeof state): bigint {
    return this.#view.getBigUint64(state[field], true)
  }

  #set(field: keyof typeof state, value: bigint): void {
    this.#view.setBigUint64(state[field], value, true)
  }
}

/** Waits; false, at once, when the signal says that it is over. */
const slept = (milliseconds: number, signal: AbortSignal | undefined): Promise<boolean> =>
  setTimeout(milliseconds, true, { ...(signal && { signal }) }).catch(() => false)

/** A batch costs about 150 ns and a look at the clock 30, so a burst of one packet is fine up to a million a second. */
function burstFor(rate: number | undefined): number {
  if (rate === undefined) return 256
  return rate <= 1e6 ? 1 : rate <= 5e6 ? 16 : 64
}

/** What a report says in one line: what was asked, what was offered, and whether that is the same. */
export function reportText({ sent, seconds, requested, rate, kept, dropped }: LiveReport): string {
  const per = (n: number): string => `${Math.round(n).toLocaleString('en')} packets/s`
  const lost = dropped > 0 ? `; the device dropped ${dropped.toLocaleString('en')}` : ''
  const asked =
    requested === undefined
      ? `as fast as possible: ${per(rate)}`
      : kept
        ? `at ${per(rate)}, as requested`
        : `${per(requested)} were requested, ${per(rate)} were offered: this machine did not keep up`
  return `${sent.toLocaleString('en')} packets in ${seconds.toFixed(2)} s, ${asked}${lost}`
}

/** Makes a sender. Throws a RangeError for a wrong specification and `Unsupported` where it cannot work. */
export function openLiveSender(specification: LiveSpecification): LiveSender {
  check(specification)
  const device = findInterface(specification.device)
  if (device === undefined)
    throw new RangeError(`there is no device ${specification.device} in this namespace`)
  requireTarget(device)
  const program = loadLiveProgram(specification.packets, specification.times)
  const namespace = openSync('/proc/thread-self/ns/net', 'r')
  const counters = (): NetworkInterface['counters'] =>
    inNamespace(`/proc/self/fd/${namespace}`, () => findInterface(device.index) ?? device).counters
  let spare: Lab | undefined
  let parked: XdpLink | undefined
  const release = (): void => {
    parked?.close()
    spare?.down()
    closeSync(namespace)
  }
  try {
    program.devices.update(new Uint8Array(4), new Uint8Array(new Uint32Array([device.index]).buffer))
    const lab = up(parkingPlace)
    spare = lab
    parked = lab.inNamespace('park', () => park(program.program, lab.interface('park', 'near').index))
    return new LiveSender(specification, device, program, counters, release)
  } catch (error) {
    release()
    program.close()
    throw error
  }
}

/** Somewhere to attach the program natively, where it never sees a packet. */
const parkingPlace = {
  namespaces: { park: {} },
  pairs: [
    {
      ends: [
        { namespace: 'park', device: 'near' },
        { namespace: 'park', device: 'far' },
      ] as const,
    },
  ],
}

function check({ packets, rate, burst, times, span }: LiveSpecification): void {
  if (times !== undefined && (times.length !== packets.length || !(span! >= times[times.length - 1])))
    throw new RangeError('every packet needs a time, and the span ends after the last one')
  if (packets.length === 0) throw new RangeError('there is no packet to send')
  const wrong = packets.find(({ length }) => length < 14 || length > longestPacket)
  if (wrong !== undefined)
    throw new RangeError(`a packet has 14 to ${longestPacket} bytes, not ${wrong.length}`)
  if (rate !== undefined && !(rate > 0)) throw new RangeError(`${rate} is no rate`)
  if (burst !== undefined && !(burst >= 1 && burst <= 256 && Number.isInteger(Math.log2(burst))))
    throw new RangeError(`a burst is a power of two from 1 to 256, not ${burst}`)
}

/** Frames redirected to a device that does not take them would vanish without a trace. */
function requireTarget(device: NetworkInterface): void {
  const known = featuresOf(device)
  if (known === undefined || known.includes('redirectTarget')) return
  throw new Unsupported(
    `sending live frames out of ${device.name}`,
    'a device that takes redirected frames',
    'one that does not now',
    device.kind === 'veth' ? 'attach an XDP program to its other end first' : undefined,
  )
}

function featuresOf(device: NetworkInterface): readonly string[] | undefined {
  try {
    return xdpFeatures(device.index)?.features
  } catch (error) {
    if (error instanceof SystemError) return undefined
    throw error
  }
}
