/**
 * Trials in the kernel: a program by XDP at one end of a veth pair, live frames at a constant rate into the other.
 *
 * With two CPUs the device's receiving is a thread of the kernel's (threaded NAPI) on a CPU of its own, so sender and
 * program do not wait for each other and a full ring loses packets. With one CPU, or `closed`, the program runs in the
 * sender's own call: a closed loop, which never loses and whose rate is a *service rate*, not a loss-free one.
 * Needs root. What a veth and live frames cost is not what a network card costs.
 */

import { setTimeout } from 'node:timers/promises'
import { figuresOf } from '../engine/kernel/figures.js'
import { load } from '../engine/kernel/load.js'
import type { Loadable, LoadOptions } from '../engine/kernel/load.js'
import { up } from '../lab/lab.js'
import type { Lab } from '../lab/lab.js'
import { onlineCpus, pinThread, possibleCpus } from '../sys/cpus.js'
import { attachXdp } from '../sys/xdp.js'
import { openLiveSender } from '../traffic/live.js'
import type { LiveReport } from '../traffic/live.js'
import type { Trial } from './search.js'
import { pinReceiving } from './threaded.js'

export interface VethTrials {
  /** Whether sender and program run on one CPU and wait for each other. */
  readonly closedLoop: boolean
  readonly mode: string
  run(rate: number, seconds: number): Promise<Trial>
  /** So many packets as fast as possible. */
  send(count: number): Promise<LiveReport>
  /** Packets a second into a program that drops everything, and into this one, as fast as possible. */
  calibrate(seconds: number): Promise<number>
  close(): void
}

/** Pairs that this process made. */
let opened = 0
/** Packets that leave back to back. */
const burst = 64
/** Milliseconds for what is in the ring at the end. */
const drain = 50
const onlyKey = new Uint8Array(new ArrayBuffer(4))

export async function vethTrials(
  program: Loadable,
  options: LoadOptions,
  packets: readonly Uint8Array[],
  closed: boolean,
): Promise<VethTrials> {
  const [sending, receiving] = onlineCpus()
  const closedLoop = closed || receiving === undefined
  // The kernel names threads by the device, and others may have labs too.
  const device = `mlffr${process.pid}-${opened++ % 100}`.slice(0, 15)
  const lab = up({
    namespaces: { sender: {}, box: {} },
    pairs: [
      {
        ends: [
          { namespace: 'sender', device: 'eth0', xdp: 'drop' },
          { namespace: 'box', device },
        ],
      },
    ],
  })
  const closers: (() => void)[] = [() => lab.down()]
  const close = (): void => {
    for (const action of closers.splice(0).toReversed()) action()
  }
  try {
    const loaded = load(program, options)
    closers.push(() => loaded.close())
    const attachment = lab.inNamespace('box', () => attachXdp(loaded.program, device, 'native'))
    closers.push(() => attachment.detach())
    if (!closedLoop) await threadedReceiving(lab, device, receiving)
    pinThread([sending])
    closers.push(() => pinThread(onlineCpus()))
    const sender = lab.inNamespace('sender', () => openLiveSender({ packets, device: 'eth0', burst }))
    closers.push(() => sender.close())
    const received = (): number =>
      Number(figuresOf(map => loaded.maps.get(map)?.lookup(onlyKey), [], possibleCpus()).packets)
    const trial = async (rate: number | undefined, seconds: number): Promise<Trial> => {
      sender.pace(rate)
      const before = received()
      const over = new AbortController()
      const timer = rate === undefined ? globalThis.setTimeout(() => over.abort(), 1000 * seconds) : undefined
      const count = rate === undefined ? Number.MAX_SAFE_INTEGER : Math.max(1, Math.round(rate * seconds))
      const report = await sender.send(count, over.signal)
      clearTimeout(timer)
      const until = performance.now() + drain
      while (received() - before < report.sent - report.dropped && performance.now() < until)
        await setTimeout(1)
      const lost = report.sent - (received() - before)
      return { requested: rate ?? report.rate, offered: report.rate, sent: report.sent, lost }
    }
    return {
      closedLoop,
      mode: attachment.mode,
      run: trial,
      send(count) {
        sender.pace(undefined)
        return sender.send(count)
      },
      async calibrate(seconds) {
        await trial(undefined, seconds / 4)
        return (await trial(undefined, seconds)).offered
      },
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

/** Makes a device of the box receive on threads of its own, on one CPU. Its own /sys is seen in the namespace only. */
async function threadedReceiving(lab: Lab, device: string, cpu: number): Promise<void> {
  const path = `/sys/class/net/${device}/threaded`
  const { status, stderr } = await lab.run('box', ['sh', '-c', `echo 1 > ${path}`])
  if (status !== 0) throw new Error(`threaded receiving on ${device}: ${stderr.trim()}`)
  pinReceiving(device, cpu)
}
