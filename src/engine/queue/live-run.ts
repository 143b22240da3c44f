// A program on whole interfaces in user space, by any strategy: all queues are taken, and hp0 is the way to the kernel.
//
// Setting up and giving back are as in bypass.ts, which is for chosen queues and has workers of its own; here the engine of
// captures runs (run.ts), with the calling thread as its one sequencer. Whatever way it ends, the interfaces are as before.

import { socket as field } from '../../backend/wasm/rings/memory.js'
import { ringLoops } from '../../backend/wasm/rings/module.js'
import { findInterface } from '../../sys/interfaces.js'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { here, inNamespace } from '../../sys/namespace.js'
import { attachXdp } from '../../sys/xdp.js'
import type { Attachment } from '../../sys/xdp.js'
import type { Artifact } from '../artifact.js'
import { plan } from '../plan.js'
import type { RunOptions } from '../plan.js'
import { start } from '../run.js'
import type { RunResult } from '../run.js'
import { makeMemory } from '../make-memory.js'
import { complaintsOf } from './complaints.js'
import { checkQueue, frameSizeFor, receiveQueues } from './device.js'
import { addLosses, figuresOf, noLosses } from './figures.js'
import type { QueueFigures } from './figures.js'
import { startGuard } from './guard.js'
import { stopMerging, undo } from './isolate.js'
import type { Undo } from './isolate.js'
import { openKernelInterface } from './kernel-interface.js'
import type { InterfaceAddress, KernelInterface } from './kernel-interface.js'
import { layoutQueues, mostTargets } from './layout.js'
import { LiveSource } from './live-source.js'
import { everything } from './match.js'
import { assignPool, openPool, prepareQueues } from './pool.js'
import type { Pool, PoolMode } from './pool.js'
import { loadSteering } from './steering.js'
import type { Steering } from './steering.js'
import { Turn, workerSocket } from './turn.js'

export interface LiveRunOptions {
  readonly devices: readonly string[]
  readonly artifact: Artifact
  /** Strategy, workers, settings, rules, seed. */
  readonly run: RunOptions
  readonly mode: 'copy' | 'zeroCopy' | 'either'
  readonly xdp: 'native' | 'generic' | 'auto'
  /** For hp0; without one, what is passed is injected into the first interface. */
  readonly address?: InterfaceAddress
  readonly frames: number
  /** Packets of a slab at most. */
  readonly batch: number
  readonly busyPoll: number
  /** Told once, when everything is open. */
  readonly ready?: (ready: LiveReady) => void
  /** Asked between slabs: true ends the run with everything that came accounted for. */
  readonly stopped: () => boolean
  /** Told every `everyMilliseconds` what happened so far. */
  readonly progress?: (figures: QueueFigures, workers: readonly WorkerCounts[]) => void
  readonly everyMilliseconds?: number
  /** Told twice a second what is wrong with the interfaces, in words that stay the same as long as it is; often nothing. */
  readonly complaints?: (all: readonly string[]) => void
}

/** A worker's own packets, and those of others that it replayed. */
export interface WorkerCounts {
  readonly packets: number
  readonly replayed: number
}

export interface LiveReady {
  readonly devices: readonly {
    readonly name: string
    readonly queues: number
    readonly xdp: 'native' | 'generic'
  }[]
  readonly mode: PoolMode
  readonly kernelInterface: string
  /** Why packets do not arrive as if on the interface; undefined if they do. */
  readonly shortcoming: string | undefined
}

export interface LiveResult {
  readonly run: RunResult
  readonly figures: QueueFigures
  /** Addresses of the state blocks in the run's memory, one per replica or shard. */
  readonly blocks: readonly number[]
}

/** Milliseconds between two looks at whether the interfaces are there. */
const lookEvery = 500

/** Runs in the namespace of the calling thread until `stopped`. Throws a RangeError for what cannot be. */
export async function runLive(options: LiveRunOptions): Promise<LiveResult> {
  const { artifact, batch, frames } = options
  const devices = options.devices.map(name => checkQueue(name, 0))
  const frameSize = frameSizeFor(devices)
  const queues = devices.flatMap(device =>
    Array.from({ length: receiveQueues(device) }, (_, queue) => ({ device, queue })),
  )
  if (queues.length > mostTargets)
    throw new RangeError(`${queues.length} queues are more than ${mostTargets}`)
  const planned = plan(artifact, { ...options.run, slabPackets: batch, slabDataBytes: batch * frameSize })
  if ('error' in planned) throw new RangeError(planned.error)
  const layout = layoutQueues({
    from: planned.map.pages * 65_536,
    pools: queues.length + 1,
    socketsPerPool: 1,
    workers: 1,
    frames,
    frameSize,
    batch,
  })
  if ('error' in layout) throw new RangeError(layout.error)
  const memory = makeMemory(layout.pages)
  const view = new DataView(memory.buffer)
  prepareQueues(view, layout)
  const rings = ringLoops(memory)
  const turn = new Turn(memory, rings, layout, 0, () => {})
  const closing: (() => void)[] = []
  try {
    const home = here()
    closing.push(home.close)
    const guard = startGuard()
    closing.push(guard.release)
    const merging: Undo[] = []
    closing.push(() => inNamespace(home.path, () => merging.forEach(undo)))
    for (const device of devices) merging.unshift(...stopMerging(device.name))
    guard.set(merging)
    const attached: { device: NetworkInterface; steering: Steering; attachment: Attachment }[] = []
    closing.push(() => inNamespace(home.path, () => attached.forEach(release)))
    for (const device of devices) {
      const steering = loadSteering(everything)
      try {
        attached.push({
          device,
          steering,
          attachment: attachXdp(steering.program, device.index, options.xdp),
        })
      } catch (error) {
        steering.close()
        throw error
      }
    }
    const way = await inNamespace(home.path, () => ({
      opening: openKernelInterface(memory, layout, {
        device: devices[0],
        pools: [queues.length],
        ...(options.address && { address: options.address }),
      }),
    })).opening
    closing.push(() => inNamespace(home.path, way.close))
    const pools: Pool[] = []
    closing.push(() => pools.forEach(pool => pool.close()))
    for (const [k, { device, queue }] of queues.entries()) {
      const { mode, busyPoll } = options
      const opening = inNamespace(home.path, () => ({
        pool: openPool(memory, layout, k, {
          interfaceIndex: device.index, queue, mode, busyPoll, needWakeup: true,
        }),
      })) // prettier-ignore
      pools.push(await opening.pool)
    }
    wire(view, layout, queues, way, options.address !== undefined)
    for (const pool of [...pools, ...way.pools]) {
      assignPool(view, layout, 0, pool.k)
      const ofKernel = pool === way.pools[0]
      turn.open(workerSocket(pool, 0, { receives: ofKernel && way.carries, forwards: ofKernel }))
    }
    const setSockets = (on: boolean): void =>
      pools.forEach((pool, k) => {
        const { steering } = attached.find(a => a.device === queues[k].device)!
        steering.setSockets(queues[k].queue, on ? pool.sockets : undefined)
      })
    setSockets(true)
    options.ready?.({
      devices: attached.map(a => ({
        name: a.device.name,
        queues: queues.filter(q => q.device === a.device).length,
        xdp: a.attachment.mode,
      })),
      mode: pools[0].mode,
      kernelInterface: way.name,
      shortcoming: way.shortcoming,
    })
    const live = { plan: planned, layout }
    const figures = (): QueueFigures =>
      figuresOf(
        view,
        live,
        artifact,
        queues.length,
        attached.map(a => a.steering),
        pools.reduce((sum, pool) => addLosses(sum, pool.statistics()), noLosses),
      )
    let looked = performance.now()
    let told = looked
    let detached = false
    let counts = (): readonly WorkerCounts[] => []
    const ending = (): boolean => {
      const now = performance.now()
      if (now - looked > lookEvery) {
        looked = now
        const all = inNamespace(home.path, () => devices.flatMap(d => lookAt(d, way.index)))
        options.complaints?.(all)
      }
      if (options.progress && now - told > (options.everyMilliseconds ?? 1000)) {
        told = now
        options.progress(figures(), counts())
      }
      if (!options.stopped()) return false
      if (!detached) setSockets(false)
      detached = true
      return true
    }
    const source = new LiveSource({
      memory,
      rings,
      turn,
      blocks: pools.map(pool => layout.places[pool.k].sockets[0].block),
      fds: [...pools, ...(way.carries ? way.pools : [])].map(pool => pool.sockets[0].fd),
      batch,
      origin: process.hrtime.bigint(),
      ending,
    })
    const run = await start(
      artifact,
      planned,
      options.run.strategy,
      {
        memory,
        open: () => source,
        watch: workers => (counts = workers),
        collect: (slab, count) => source.dispatch(slab, count),
        ...(options.run.epoch && { epoch: options.run.epoch }),
      },
      options.run.rules,
    )
    // What was posted last is still sent.
    for (const end = performance.now() + 100; performance.now() < end && turn.busy;) turn.turn(0n)
    rings.reap(layout.lists[0])
    return { run, figures: figures(), blocks: planned.map.state }
  } finally {
    for (const action of closing.toReversed()) action()
  }
}

/** What is wrong with an interface; throws if it is not there. */
function lookAt({ name, index }: NetworkInterface, way: number): string[] {
  const found = findInterface(index)
  if (found) return complaintsOf(found, [way])
  throw new Error(`interface ${name} has gone: it was deleted or moved to another namespace`)
}

function release({ steering, attachment }: { steering: Steering; attachment: Attachment }): void {
  try {
    attachment.detach()
  } catch {
    // It went with the interface.
  }
  steering.close()
}

/** Where packets of each queue may go: any interface by its number, and the kernel; what the kernel sends, out of the first. */
function wire(
  view: DataView,
  layout: {
    readonly places: readonly { readonly sockets: readonly { readonly block: number }[] }[]
    readonly targets: readonly number[]
  },
  queues: readonly { readonly device: NetworkInterface }[],
  way: KernelInterface,
  carries: boolean,
): void {
  const block = (k: number): number => layout.places[k].sockets[0].block
  const kernel = block(way.pools[0].k)
  const [targets] = layout.targets
  queues.forEach(({ device }, k) => {
    view.setUint32(targets + 8 * k, device.index, true)
    view.setUint32(targets + 8 * k + 4, block(k), true)
    view.setUint32(block(k) + field.kernel, kernel, true)
    view.setUint32(block(k) + field.targets, targets, true)
    view.setUint32(block(k) + field.targetCount, queues.length, true)
  })
  if (!carries) return
  view.setUint32(kernel + field.kernel, block(0), true)
  view.setUint32(kernel + field.forward, 1, true)
}
