// The single-queue bypass: a program in user space has chosen packets of chosen receive queues; everything else of the
// interface, and sending, stays with the kernel, which gets back what the program passes.
//
// Starting is a transaction, and so is each queue that is added. What outlives a process (settings of the card) is written
// to a guard that puts it back if this one is killed; what does not (programs, sockets, hp0) goes by itself.
// Read isolate.ts, steering.ts, crew.ts and kernel-interface.ts first.

import { setTimeout as pause } from 'node:timers/promises'
import { pool as poolField, socket as field } from '../../backend/wasm/rings/memory.js'
import { statistics as driverStatistics } from '../../sys/ethtool.js'
import { findInterface } from '../../sys/interfaces.js'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { here, inNamespace } from '../../sys/namespace.js'
import type { HeldNamespace } from '../../sys/namespace.js'
import { attachXdp } from '../../sys/xdp.js'
import type { Attachment } from '../../sys/xdp.js'
import type { Artifact } from '../artifact.js'
import type { RunOptions } from '../plan.js'
import { QueueCrew } from './crew.js'
import { complaintsOf } from './complaints.js'
import { checkQueue, frameSizeFor, receiveQueues } from './device.js'
import { addLosses, figuresOf, noLosses } from './figures.js'
import type { QueueFigures, Losses } from './figures.js'
import { startGuard } from './guard.js'
import type { Guard } from './guard.js'
import { isolateQueue, missingRules, stopMerging, undo } from './isolate.js'
import type { Isolation, Undo } from './isolate.js'
import { openKernelInterface } from './kernel-interface.js'
import type { InterfaceAddress, KernelInterface } from './kernel-interface.js'
import type { Match } from './match.js'
import { openPool } from './pool.js'
import type { Pool } from './pool.js'
import { livePartsOf, makeLiveMemory, planLive } from './program.js'
import type { LivePlan } from './program.js'
import { loadSteering } from './steering.js'
import type { Steering } from './steering.js'
import { workerSocket } from './turn.js'

export interface BypassOptions {
  readonly device: string
  readonly queues: readonly number[]
  readonly match: Match
  readonly artifact: Artifact
  /** Strategy, workers, settings, rules, seed. */
  readonly run: RunOptions
  readonly mode: 'copy' | 'zeroCopy' | 'either'
  readonly xdp: 'native' | 'generic' | 'auto'
  /** Take queues out of the indirection table even where the card cannot steer packets to them. */
  readonly isolate: boolean
  /** Of each worker; anywhere if undefined. */
  readonly cpus: readonly (number | undefined)[]
  /** An address for hp0, which then is the way in and out of the kernel; else packets are injected into the device. */
  readonly address?: InterfaceAddress
  readonly frames: number
  readonly batch: number
  readonly needWakeup: boolean
  readonly busyPoll: number
}

/** A queue that is open. */
export interface OpenedQueue {
  readonly queue: number
  readonly pool: Pool
  readonly isolation: Isolation
  /** Whose it is, unless workers share it. */
  readonly worker: number
}

/** Queues that can be open at a time, at most. */
const mostOpen = 16
/** Milliseconds that closing waits for packets on their way. */
const lastPackets = 200
const quiet = 30

export class Bypass {
  readonly device: NetworkInterface
  readonly steering: Steering
  readonly way: KernelInterface
  readonly attachment: Attachment
  readonly memory: WebAssembly.Memory
  readonly live: LivePlan
  readonly #options: BypassOptions
  readonly #view: DataView
  readonly #home: HeldNamespace
  readonly #crew: QueueCrew
  readonly #guard: Guard
  readonly #merging: readonly Undo[]
  readonly #queues: OpenedQueue[] = []
  readonly #slots: number
  #lost: Losses = noLosses
  #turns: readonly number[] = []

  private constructor(parts: {
    options: BypassOptions
    device: NetworkInterface
    steering: Steering
    way: KernelInterface
    attachment: Attachment
    memory: WebAssembly.Memory
    live: LivePlan
    home: HeldNamespace
    crew: QueueCrew
    guard: Guard
    merging: readonly Undo[]
    slots: number
  }) {
    this.device = parts.device
    this.steering = parts.steering
    this.way = parts.way
    this.attachment = parts.attachment
    this.memory = parts.memory
    this.live = parts.live
    this.#options = parts.options
    this.#view = new DataView(parts.memory.buffer)
    this.#home = parts.home
    this.#crew = parts.crew
    this.#guard = parts.guard
    this.#merging = parts.merging
    this.#slots = parts.slots
  }

  /** Starts in the namespace of the calling thread; puts everything back if a step fails. */
  static async start(options: BypassOptions): Promise<Bypass> {
    const { artifact, run, queues } = options
    const device = queues.map(queue => checkQueue(options.device, queue))[0]
    const slots = Math.min(mostOpen, receiveQueues(device))
    if (queues.length > slots) throw new RangeError(`at most ${slots} queues can be open at a time`)
    // Workers have queues of their own where there are enough of them; else they share each queue.
    const sockets = run.cores > queues.length ? run.cores : 1
    const live = planLive(artifact, run, {
      pools: slots + run.cores,
      socketsPerPool: sockets,
      frames: options.frames,
      frameSize: frameSizeFor([device]),
      batch: options.batch,
    })
    if ('error' in live) throw new RangeError(live.error)
    const memory = makeLiveMemory(artifact, live, run.rules)
    const closing: (() => void | Promise<void>)[] = []
    try {
      const home = here()
      closing.push(home.close)
      const guard = startGuard()
      closing.push(guard.release)
      const merging = stopMerging(device.name)
      closing.push(() => inNamespace(home.path, () => merging.forEach(undo)))
      guard.set(merging)
      const steering = loadSteering(options.match, sockets)
      closing.push(() => steering.close())
      const attachment = attachXdp(steering.program, device.index, options.xdp)
      closing.push(() => inNamespace(home.path, () => attachment.detach()))
      const opening = {
        way: openKernelInterface(memory, live.layout, {
          device,
          pools: Array.from({ length: run.cores }, (_, w) => slots + w),
          ...(options.address && { address: options.address }),
        }),
      }
      const way = await opening.way
      closing.push(() => inNamespace(home.path, way.close))
      const origin = process.hrtime.bigint()
      const crew = new QueueCrew(livePartsOf(artifact, live, memory), live, options.cpus, origin)
      closing.push(() => crew.stop())
      for (const [w, pool] of way.pools.entries())
        await crew.open(w, workerSocket(pool, 0, { receives: options.address !== undefined, forwards: true }))
      const bypass = new Bypass({
        options, device, steering, way, attachment, memory, live, home, crew, guard, merging, slots,
      }) // prettier-ignore
      closing.push(() => bypass.#closeAll())
      for (const queue of queues) await bypass.add(queue)
      return bypass
    } catch (error) {
      for (const action of closing.toReversed()) await action()
      throw error
    }
  }

  get queues(): readonly OpenedQueue[] {
    return this.#queues
  }

  /** Opens one more queue. */
  async add(queue: number): Promise<OpenedQueue> {
    if (this.#queues.some(open => open.queue === queue))
      throw new RangeError(`queue ${queue} is bypassed already`)
    const { run, match, isolate, mode, needWakeup, busyPoll } = this.#options
    const { layout } = this.live
    const device = inNamespace(this.#home.path, () => checkQueue(this.device.name, queue))
    const k = layout.places.findIndex(
      (_, n) => n < this.#slots && !this.#queues.some(open => open.pool.k === n),
    )
    if (k < 0) throw new RangeError(`${this.#slots} queues are open, which is as many as can be`)
    const opening = inNamespace(this.#home.path, () => ({
      pool: openPool(this.memory, layout, k, {
        interfaceIndex: device.index,
        queue,
        mode,
        needWakeup,
        busyPoll,
      }),
    }))
    const pool = await opening.pool
    try {
      const share = layout.socketsPerPool > 1
      const workers = share ? Array.from({ length: run.cores }, (_, w) => w) : [this.#idlest()]
      for (const [s, worker] of workers.entries()) {
        this.#wire(k, s, worker)
        await this.#crew.open(worker, workerSocket(pool, s, { receives: true, forwards: false }))
      }
      this.steering.setSockets(queue, pool.sockets)
      const isolation = inNamespace(this.#home.path, () => isolateQueue(device.name, queue, match, isolate))
      const opened = { queue, pool, isolation, worker: workers[0] }
      this.#queues.push(opened)
      this.#wireBack()
      this.#tellGuard()
      return opened
    } catch (error) {
      this.steering.setSockets(queue, undefined)
      for (let worker = 0; worker < run.cores; worker++) await this.#crew.close(worker, k)
      pool.close()
      throw error
    }
  }

  /** Gives a queue back to the kernel. */
  async remove(queue: number): Promise<void> {
    const n = this.#queues.findIndex(open => open.queue === queue)
    if (n < 0) throw new RangeError(`queue ${queue} is not bypassed`)
    const { pool, isolation } = this.#queues[n]
    this.steering.setSockets(queue, undefined)
    inNamespace(this.#home.path, () => isolation.undo.forEach(step => tryUndo(step)))
    this.#queues.splice(n, 1)
    this.#wireBack()
    // Packets that were under way are handled still.
    await this.#settle(pool)
    for (let worker = 0; worker < this.#options.run.cores; worker++) await this.#crew.close(worker, pool.k)
    this.#lost = addLosses(this.#lost, pool.statistics())
    pool.close()
    this.#tellGuard()
  }

  /** The worker with the fewest queues. */
  #idlest(): number {
    const counts = Array.from(
      { length: this.#options.run.cores },
      (_, w) => this.#queues.filter(q => q.worker === w).length,
    )
    return counts.indexOf(Math.min(...counts))
  }

  /** What a worker's packets of a queue may be sent to. */
  #wire(k: number, s: number, worker: number): void {
    const { layout } = this.live
    const { block } = layout.places[k].sockets[s]
    const way = layout.places[this.#slots + worker].sockets[0].block
    const targets = layout.targets[worker]
    this.#view.setUint32(block + field.kernel, way, true)
    this.#view.setUint32(targets, this.device.index, true)
    this.#view.setUint32(targets + 4, block, true)
    this.#view.setUint32(block + field.targets, targets, true)
    this.#view.setUint32(block + field.targetCount, 1, true)
  }

  /** What the kernel sends by hp0 leaves through the first queue that its worker has; without one it is dropped. */
  #wireBack(): void {
    if (!this.#options.address) return
    const { places, socketsPerPool } = this.live.layout
    for (const [w, { k }] of this.way.pools.entries()) {
      const share = socketsPerPool > 1
      const open = this.#queues.find(q => share || q.worker === w)
      const { block } = places[k].sockets[0]
      this.#view.setUint32(block + field.forward, open ? 1 : 0, true)
      this.#view.setUint32(
        block + field.kernel,
        open ? places[open.pool.k].sockets[share ? w : 0].block : 0,
        true,
      )
    }
  }

  #tellGuard(): void {
    const steps = this.#queues.toReversed().flatMap(open => open.isolation.undo)
    this.#guard.set([...steps, ...this.#merging])
  }

  /** Waits until a pool's packets, and all those to the kernel, have been handled; not for ever. */
  async #settle(pool: Pool): Promise<void> {
    const { places } = this.live.layout
    await pause(quiet)
    const count = (at: number): bigint => this.#view.getBigUint64(at, true)
    const open = (k: number): boolean => {
      const { block, sockets } = places[k]
      return (
        sockets.reduce((sum, s) => sum + count(s.block + field.posted), 0n) !==
        count(block + poolField.completed)
      )
    }
    for (const end = performance.now() + lastPackets; performance.now() < end;) {
      if (![pool.k, ...this.way.pools.map(p => p.k)].some(open)) return
      await pause(5)
    }
  }

  get program(): string {
    return this.#options.artifact.name
  }

  get strategy(): string {
    return this.#options.run.strategy.name
  }

  /** Everything so far. */
  figures(): QueueFigures {
    const losses = this.#queues.reduce((sum, { pool }) => addLosses(sum, pool.statistics()), this.#lost)
    return figuresOf(this.#view, this.live, this.#options.artifact, this.#slots, [this.steering], losses)
  }

  /** What is wrong now, in words; `gone` if nothing is left to bypass. */
  watch(): { readonly gone?: string; readonly warnings: readonly string[] } {
    if (this.#crew.failure) return { gone: this.#crew.failure.message, warnings: [] }
    const { name, index } = this.device
    return inNamespace(this.#home.path, () => {
      const found = findInterface(index)
      if (!found)
        return {
          gone: `interface ${name} has gone: it was deleted or moved to another namespace`,
          warnings: [],
        }
      const warnings = complaintsOf(found, [this.way.index])
      const { programId } = found.xdp.find(x => x.mode === this.attachment.mode) ?? {}
      if (programId === undefined) return { gone: `the XDP program was taken off ${name}`, warnings }
      for (const { queue, isolation } of this.#queues) {
        const missing = missingRules(name, queue, isolation.rules)
        if (missing.length > 0)
          warnings.push(
            `rule ${missing.join(', ')} of ${name} to queue ${queue} was removed by somebody else`,
          )
      }
      const turns = this.#crew.turns()
      turns.forEach((n, w) => {
        if (n === this.#turns[w])
          warnings.push(`worker ${w} stands still: its CPU may be taken by other tasks`)
      })
      this.#turns = turns
      return { warnings }
    })
  }

  /** Packets that the driver has counted on a queue; undefined where it does not count by queue. */
  driverCount(queue: number): number | undefined {
    const all = inNamespace(this.#home.path, () => driverStatistics(this.device.name))
    const name = [`rx_queue_${queue}_xdp_packets`, `rx_queue_${queue}_packets`, `rx${queue}_packets`, `rx-${queue}.packets`].find(n => all.has(n)) // prettier-ignore
    return name === undefined ? undefined : Number(all.get(name))
  }

  async #closeAll(): Promise<void> {
    for (const { queue } of this.#queues.slice()) await this.remove(queue)
  }

  /** Gives everything back; answers the last figures. Harmless when the interface has gone. */
  async stop(): Promise<QueueFigures> {
    await this.#closeAll().catch(() => {})
    await this.#crew.stop()
    const figures = this.figures()
    inNamespace(this.#home.path, () => {
      try {
        this.attachment.detach()
      } catch {
        // It went with the interface.
      }
      this.way.close()
      for (const step of this.#merging) tryUndo(step)
    })
    this.steering.close()
    this.#guard.release()
    this.#home.close()
    return figures
  }
}

/** Puts a thing back if it is still there. */
function tryUndo(step: Undo): void {
  try {
    undo(step)
  } catch {
    // The interface has gone, or somebody removed the rule.
  }
}
