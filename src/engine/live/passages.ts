// What went into the queues of CPU maps, what came out, and what was lost on the way, as the kernel's tracepoints tell.
//
// Two programs at raw tracepoints add it up by map, while they are open: xdp_cpumap_enqueue counts frames that a queue
// took or had no room for, xdp_cpumap_kthread what the other CPU did with them. They cost one run for each bulk of up to
// eight frames.

import { setTimeout } from 'node:timers/promises'
import {
  alu64,
  atomic,
  call,
  exit,
  fp,
  ja,
  jge,
  jne,
  label,
  ldMapValue,
  ldx,
  mov64,
  r0,
  r1,
  r2,
  r3,
  r6,
  r7,
  st,
} from '../../backend/ebpf/asm.js'
import type { Code } from '../../backend/ebpf/asm.js'
import { encode, link } from '../../backend/ebpf/encode.js'
import { mapInfo } from '../../sys/info.js'
import { openRawTracepoint } from '../../sys/link.js'
import { createMap, mapFlags } from '../../sys/map.js'
import type { BpfMap } from '../../sys/map.js'
import { mapMemory } from '../../sys/map-memory.js'
import { loadProgram } from '../../sys/program.js'
import type { BpfProgram } from '../../sys/program.js'
import { Held } from './held.js'
import { until } from './until.js'

/** u64 each, of one map. */
const words = [
  /** Frames that were put to a queue, and those among them that found it full. */
  'enqueued',
  'full',
  /** Frames that came out of queues. */
  'handled',
  /** Packets for the kernel's stack for which there was no memory. */
  'noMemory',
  /** What became of frames that came out: sent on, passed to the stack, dropped (by verdict, or because sending failed). */
  'redirected',
  'passed',
  'dropped',
] as const
export type Passage = Readonly<Record<(typeof words)[number], bigint>>
const stride = 64
const at = (word: (typeof words)[number]): number => 8 * words.indexOf(word)
const counts = 'counts'

export class Passages {
  readonly #map: BpfMap
  readonly #bytes: Uint8Array
  readonly #held = new Held()
  readonly #count: number
  readonly #isFunnelled: boolean

  /** Of maps that packets are sprayed through, and of a funnel before them. Throws what says that the kernel has no such tracepoint. */
  constructor(sprayed: readonly BpfMap[], funnel?: BpfMap) {
    const maps = [...sprayed, ...(funnel ? [funnel] : [])]
    const ids = maps.map(m => mapInfo(m).id)
    this.#count = maps.length
    this.#isFunnelled = funnel !== undefined
    const { keep } = this.#held
    try {
      this.#map = keep(
        createMap({
          type: 'array',
          name: 'passages',
          keySize: 4,
          valueSize: stride * maps.length,
          maxEntries: 1,
          flags: mapFlags.MMAPABLE,
        }),
      )
      const { bytes, unmap } = mapMemory(this.#map)
      this.#bytes = bytes
      keep({ close: unmap })
      for (const [tracepoint, code] of [
        ['xdp_cpumap_enqueue', enqueueCode(ids)],
        ['xdp_cpumap_kthread', kthreadCode(ids)],
      ] as const)
        keep(openRawTracepoint(keep(this.#load(tracepoint, code)), tracepoint))
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** What was sprayed by map, in the order they were given, and what went through the funnel. */
  read(): { readonly sprayed: readonly Passage[]; readonly funnel?: Passage } {
    const all = this.#all()
    return this.#isFunnelled ? { sprayed: all.slice(0, -1), funnel: all.at(-1)! } : { sprayed: all }
  }

  /**
   * Whether everything that queues took has come out of them. The kernel may pass over a program on a tracepoint (it counts
   * that as `recursion_misses`), and more may have come out than was seen going in: those are no packets that stay away.
   */
  get isQuiet(): boolean {
    return this.#all().every(p => p.enqueued - p.full <= p.handled)
  }

  /** Waits until queues are empty, after the last program was taken off. False if they are not within two seconds. */
  async settle(): Promise<boolean> {
    // Packets reach their queue at the end of the driver's round.
    await setTimeout(5)
    return until(() => this.isQuiet)
  }

  #all(): Passage[] {
    const bytes = this.#bytes
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    return Array.from(
      { length: this.#count },
      (_, k) =>
        Object.fromEntries(words.map(w => [w, view.getBigUint64(k * stride + at(w), true)])) as Passage,
    )
  }

  close(): void {
    this.#held.close()
  }

  #load(name: string, code: Code): BpfProgram {
    const instructions = link(encode(code), new Map([[counts, this.#map.fd]]))
    // Reading what a tracepoint's pointer points to takes a licence that the kernel knows.
    return loadProgram({ type: 'raw_tracepoint', name, instructions, licence: 'GPL' })
  }
}

/** r6 = the arguments, r7 = the counts of the map they are about; leaves for other maps. */
function ofMap(ids: readonly number[]): Code {
  const found = label('found')
  return [
    mov64.reg(r6, r1),
    ldx.w(r2, r6, 0),
    ldMapValue(r7, counts),
    ...ids.flatMap((id, k) => {
      const next = label(`not ${k}`)
      return [jne.imm(r2, id, next), alu64.add.imm(r7, k * stride), ja(found), next]
    }),
    ja(label('out')),
    found,
  ]
}

const add = (argument: number, word: (typeof words)[number]): Code => [
  ldx.w(r2, r6, 8 * argument),
  atomic.add('dw', r7, at(word), r2),
]

const out: Code = [label('out'), mov64.imm(r0, 0), exit()]

/**
 * xdp_cpumap_enqueue(map_id, processed, drops, to_cpu): of a driver's frames the dropped are among the processed; a packet
 * of generic mode, which comes alone, is one or the other (kernel/bpf/cpumap.c).
 */
const enqueueCode = (ids: readonly number[]): Code => [
  ...ofMap(ids),
  ldx.w(r2, r6, 8),
  ldx.w(r3, r6, 16),
  jge.reg(r2, r3, label('all')),
  mov64.reg(r2, r3),
  label('all'),
  atomic.add('dw', r7, at('enqueued'), r2),
  ...add(2, 'full'),
  ...out,
]

/** xdp_cpumap_kthread(map_id, processed, drops, sched, statistics: u32 redirect, pass, drop) */
const kthreadCode = (ids: readonly number[]): Code => [
  ...ofMap(ids),
  ...add(1, 'handled'),
  ...add(2, 'noMemory'),
  st.dw(fp, -16, 0),
  st.dw(fp, -8, 0),
  mov64.reg(r1, fp),
  alu64.add.imm(r1, -16),
  mov64.imm(r2, 12),
  ldx.dw(r3, r6, 32),
  call('probe_read_kernel'),
  ...(['redirected', 'passed', 'dropped'] as const).flatMap((word, k) => [
    ldx.w(r2, fp, -16 + 4 * k),
    atomic.add('dw', r7, at(word), r2),
  ]),
  ...out,
]
