// A live run whose workers are on another machine: packets of interfaces go through the sequencer, and its frames, with an
// outer Ethernet header, out of another interface.
//
// It is what a switch would do in front of servers, done by a Linux box. Frames are sprayed over CPUs first, each of which
// sends its own: so they leave by as many transmit queues, and a receiver whose queues follow from that (a veth pair) or
// from the last byte of the source address, which is the worker's number, spreads them over its queues. Admission is as
// everywhere: a packet is numbered only if the queue of the CPU that sends it has room. What is lost later is a gap there.

import { setTimeout } from 'node:timers/promises'
import {
  alu64,
  be32,
  call,
  exit,
  jgt,
  label,
  ldMapValue,
  ldx,
  mov64,
  r1,
  r2,
  r3,
  r4,
  stx,
} from '../../backend/ebpf/asm.js'
import type { Code } from '../../backend/ebpf/asm.js'
import { encode, link } from '../../backend/ebpf/encode.js'
import { inFull } from '../../backend/ebpf/frame.js'
import { sequencerMap } from '../../backend/ebpf/sequencer-map.js'
import { mapNames, runtime, runtimeBytes } from '../../backend/ebpf/target.js'
import type { XdpMode } from '../../sys/link.js'
import { createMap, mapFlags } from '../../sys/map.js'
import type { BpfMap } from '../../sys/map.js'
import { loadProgram } from '../../sys/program.js'
import type { BpfProgram } from '../../sys/program.js'
import type { Attachment } from '../../sys/xdp.js'
import { outerBytes } from '../../wire/history.js'
import type { LoadOptions } from '../kernel/load.js'
import { frameFormat } from '../kernel/replicated.js'
import type { Replicable } from '../kernel/replicated.js'
import { loadSequencer, sequencerDrops } from '../kernel/sequencer.js'
import type { LoadedSequencer } from '../kernel/sequencer.js'
import type { LiveFigures, LiveRun } from './figures.js'
import { Funnel } from './funnel.js'
import { Passages } from './passages.js'
import { Held } from './held.js'
import { Places } from './places.js'
import { flushWorkers } from './group.js'
import { seat, seatsOn, sprayMaps } from './spray.js'
import type { SteeredTable } from './table.js'
import { until } from './until.js'
import { MappedMaps } from './workers.js'

export interface WireRunOptions extends Pick<LoadOptions, 'settings' | 'rules' | 'seed'> {
  readonly interfaces: readonly string[]
  /** The device that frames leave by: its index. */
  readonly out: number
  /** Workers there. */
  readonly workers: number
  readonly cpus: readonly number[]
  /** Items in each frame; one less than workers if left out. */
  readonly slots?: number
  readonly queue: number | undefined
  /** As of ReplicatedRun. */
  readonly table?: SteeredTable
  readonly funnelCpu: number
  readonly queueSize: number
  readonly mode: XdpMode
}

/** Broadcast, from a locally administered address; the last byte becomes the worker's number. */
const addresses = Uint8Array.of(255, 255, 255, 255, 255, 255, 2, 0x68, 0x70, 0, 0, 0)

export class WireRun implements LiveRun {
  readonly #places: Places
  readonly #passages: Passages
  readonly #sequencer: LoadedSequencer
  readonly #own: MappedMaps
  readonly #workers: number
  readonly #held = new Held()
  #flushed = 0n

  /** Loads and attaches, to all interfaces or to none. */
  constructor(subject: Replicable, options: WireRunOptions) {
    const {
      interfaces,
      out,
      workers,
      slots = workers - 1,
      cpus,
      queue,
      funnelCpu,
      queueSize,
      mode,
      table,
    } = options
    const { keep } = this.#held
    this.#workers = workers
    try {
      const seats = seatsOn(cpus, workers)
      const maps = sprayMaps(seats).map(keep)
      const senders = seats.map(() => keep(new Sender(out)))
      seats.forEach(({ cpu, layer }, w) => seat(maps[layer], cpu, queueSize, senders[w].program))
      const format = frameFormat(subject.artifact, slots)
      if (!format) throw new RangeError(`${subject.artifact.name} cannot be replicated`)
      this.#sequencer = keep(
        loadSequencer(
          subject,
          { workers: senders, format, outer: true },
          {
            ...options,
            spray: seats,
            maps,
            queueSize,
            addresses,
            ...(queue === undefined ? { attachType: 'xdp_cpumap' as const, queue: undefined } : {}),
          },
        ),
      )
      const { packets } = this.#sequencer
      const funnel = queue === undefined ? keep(new Funnel(funnelCpu, packets)) : undefined
      this.#passages = keep(new Passages(maps, funnel?.map))
      this.#own = keep(new MappedMaps(packets.maps, [sequencerMap, mapNames.runtime]))
      this.#places = keep(new Places(funnel?.program ?? packets.program, interfaces, mode, table))
    } catch (error) {
      this.close()
      throw error
    }
  }

  get attachments(): readonly Attachment[] {
    return this.#places.attachments
  }

  figures(): LiveFigures {
    const passages = this.#passages.read()
    const view = this.#own.view(mapNames.runtime)
    const sent = passages.sprayed.reduce((sum, p) => sum + p.handled, 0n) - this.#flushed
    return {
      verdicts: new Map([['redirect', sent]]),
      counters: new Map(),
      sequenced: view.getBigUint64(runtime.sequence, true),
      start: view.getBigUint64(runtime.start, true),
      drivers: this.#places.counted(),
      sequencerDrops: sequencerDrops(this.#own.bytes(sequencerMap)!),
      ...passages,
      workers: [],
    }
  }

  tend(): void {}

  state(): Uint8Array {
    return new Uint8Array(0)
  }

  detach(): void {
    this.#places.detach()
  }

  /** Workers elsewhere get a frame without a packet each. */
  async settle(): Promise<boolean> {
    const quiet = (): boolean => this.#passages.isQuiet
    // Frames that the sequencer has let go reach their queue at the end of the driver's round.
    await setTimeout(5)
    if (!(await until(quiet))) return false
    flushWorkers(this.#sequencer, this.#workers)
    this.#flushed = BigInt(this.#workers)
    return until(quiet)
  }

  close(): void {
    this.#held.close()
  }
}

/** Sends every frame out of a device, and says up to which number it has come. */
class Sender {
  readonly maps: ReadonlyMap<string, BpfMap>
  readonly program: BpfProgram

  constructor(device: number) {
    const map = createMap({
      type: 'array',
      name: 'progress',
      keySize: 4,
      valueSize: runtimeBytes,
      maxEntries: 1,
      flags: mapFlags.MMAPABLE,
    })
    this.maps = new Map([[mapNames.runtime, map]])
    const instructions = link(encode(senderCode(device)), new Map([[mapNames.runtime, map.fd]]))
    try {
      const attachType = 'xdp_cpumap'
      this.program = loadProgram({
        type: 'xdp',
        name: 'hairpin_send',
        instructions,
        licence: 'Apache-2.0',
        attachType,
      })
    } catch (error) {
      map.close()
      throw error
    }
  }

  close(): void {
    this.program.close()
    for (const map of this.maps.values()) map.close()
  }
}

function senderCode(device: number): Code {
  const unnumbered = label('unnumbered')
  return [
    ldx.w(r2, r1, 0),
    ldx.w(r3, r1, 4),
    mov64.reg(r4, r2),
    alu64.add.imm(r4, outerBytes + 4),
    jgt.reg(r4, r3, unnumbered),
    ldx.w(r3, r2, outerBytes),
    be32(r3),
    ldMapValue(r4, mapNames.runtime),
    ldx.dw(r2, r4, runtime.sequence),
    ...inFull,
    stx.dw(r4, runtime.sequence, r2),
    unnumbered,
    mov64.imm(r1, device),
    mov64.imm(r2, 0),
    call('redirect'),
    exit(),
  ]
}
