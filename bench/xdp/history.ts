/**
 * What a packet and an item of its history cost: a program's workers in the kernel, for 2 to 14 of them, and a line
 * through what they take. cost(n) = c1 + (n - 1) * c2.
 */

import { exit, mov64, r0 } from '../../src/backend/ebpf/asm.js'
import { encode } from '../../src/backend/ebpf/encode.js'
import { columnAt, recoveryMap } from '../../src/backend/ebpf/logs.js'
import { mapNames, runtime } from '../../src/backend/ebpf/target.js'
import type { Compiled } from '../../src/compile.js'
import { compare } from '../../src/measure/compare.js'
import type { BenchmarkRecord } from '../../src/measure/record.js'
import { loadReplicated } from '../../src/engine/kernel/replicated.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import { programInfo } from '../../src/sys/info.js'
import type { ProgramInfo } from '../../src/sys/info.js'
import { loadProgram } from '../../src/sys/program.js'
import type { BpfProgram } from '../../src/sys/program.js'
import { testRun } from '../../src/sys/test-run.js'
import { threadTime } from '../../src/sys/thread-time.js'
import { framesOf, itemsOf } from './frames.js'
import type { FrameSet } from './frames.js'
import { makeFrameRing } from './frame-ring.js'
import type { PacketSet } from './packets.js'

const XDP_TX = 3

/** How many workers take turns. */
export const workerCounts = [2, 3, 4, 7, 10, 14] as const

/** A worker under test. */
export interface Worker {
  readonly program: BpfProgram
  /** Bytes it takes off a frame. */
  readonly stripped: number
  /** Before every run: it has handled no packet. */
  reset(): void
  /** Frames of one flow, or of all. */
  frames(hot: boolean): FrameSet
  close(): void
}

/** One worker of n, with the state that the packets before make. */
export function loadWorker(
  compiled: Compiled,
  packets: PacketSet,
  workers: number,
  recovery = false,
): Worker {
  const { settings } = packets
  const loaded = loadReplicated(compiled, { workers: 1, slots: workers - 1, settings, seed: 1n, recovery })
  const { format } = loaded
  const [{ program, maps }] = loaded.workers
  const words = mapMemory(maps.get(mapNames.runtime)!)
  const view = new DataView(words.bytes.buffer, words.bytes.byteOffset)
  const kept = recovery ? mapMemory(maps.get(recoveryMap)!) : undefined
  const reset = (): void => {
    view.setBigUint64(runtime.sequence, 0n, true)
    if (!kept) return
    const columns = new DataView(kept.bytes.buffer, kept.bytes.byteOffset)
    for (const name of ['last', 'logged'] as const) columns.setBigUint64(columnAt(name), 0n, true)
  }
  const nothing = Array.from({ length: packets.before.length }, () => ({
    effect: false,
    bytes: new Uint8Array(format.itemBytes),
  }))
  const before = framesOf({ ...packets, measured: packets.before }, nothing, format, false, 1)
  before.frames.forEach((data, k) => {
    new DataView(data.buffer).setUint32(0, k + 1)
    testRun(program, { data })
  })
  const items = itemsOf(compiled, packets)
  return {
    program,
    stripped: before.headerBytes,
    reset,
    frames: hot => framesOf(packets, items, format, hot),
    close() {
      words.unmap()
      kept?.unmap()
      loaded.close()
    },
  }
}

/** A way of measuring a worker, net of an empty program. */
export function frameMode(set: FrameSet, workers: number, repeat: number) {
  const empty = loadProgram({
    type: 'xdp',
    name: 'empty',
    attachType: 'xdp',
    instructions: encode([mov64.imm(r0, XDP_TX), exit()]).bytes,
    licence: 'GPL',
  })
  const ring = makeFrameRing(set.frames, workers)
  const run = (program: BpfProgram, stripped: number): number => {
    ring.select(program, stripped)
    const begun = threadTime()
    testRun(ring.program, { data: ring.buffer, repeat })
    return Number(threadTime() - begun) / repeat
  }
  return {
    measure(worker: Worker): number {
      const base = run(empty, 0)
      worker.reset()
      return run(worker.program, worker.stripped) - base
    },
    close() {
      ring.close()
      empty.close()
    },
  }
}

/** Least squares through (n - 1, cost). */
export function line(points: readonly { readonly workers: number; readonly cost: number }[]): {
  c1: number
  c2: number
} {
  const xs = points.map(p => p.workers - 1)
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
  const [mx, my] = [mean(xs), mean(points.map(p => p.cost))]
  const c2 =
    points.reduce((n, p, k) => n + (xs[k] - mx) * (p.cost - my), 0) /
    xs.reduce((n, x) => n + (x - mx) ** 2, 0)
  return { c1: my - c2 * mx, c2 }
}

/** A kind of worker that takes part. */
export interface Form {
  readonly name: string
  load(workers: number): Worker
}

/** Ours; with `recovery`, also with logs for recovery from lost frames, of which none is lost here. */
export function ourForms(name: string, compiled: Compiled, packets: PacketSet, recovery: boolean): Form[] {
  const form = (title: string, logs: boolean): Form => ({
    name: title,
    load: workers => loadWorker(compiled, packets, workers, logs),
  })
  return [form(name, false), ...(recovery ? [form('  with recovery', true)] : [])]
}

/** What one form costs, in nanoseconds. */
export interface HistoryFigures {
  readonly form: string
  readonly hot: boolean
  readonly c1: number
  readonly c2: number
  readonly records: readonly BenchmarkRecord[]
}

/** Measures workers of all forms, and all counts of them, in turn, in one run. Sizes are those of most workers. */
export async function measureHistory(
  program: string,
  forms: readonly Form[],
  { rounds, repeat }: { readonly rounds: number; readonly repeat: number },
): Promise<{ figures: HistoryFigures[]; sizes: ProgramInfo[] }> {
  const loaded = workerCounts.flatMap(workers =>
    forms.map(form => ({ workers, form, worker: form.load(workers) })),
  )
  const figures: HistoryFigures[] = []
  for (const hot of [true, false]) {
    const jobs = loaded.map(({ workers, form, worker }) => ({
      workers,
      form,
      worker,
      mode: frameMode(worker.frames(hot), workers, repeat),
    }))
    const { records } = await compare(
      jobs.map(({ workers, form, worker, mode }) => ({
        name: `${workers} workers, ${form.name.trim()}`,
        run: () => mode.measure(worker),
      })),
      { rounds, warmup: 1, unit: 'ns/packet', parameters: { program, mode: 'history', hot, repeat } },
    )
    for (const form of forms) {
      const own = records.filter((_, k) => jobs[k].form === form)
      const points = own.map((r, k) => ({ workers: workerCounts[k], cost: r.summary.median }))
      figures.push({ form: form.name, hot, ...line(points), records: own })
    }
    for (const { mode } of jobs) mode.close()
  }
  const sizes = forms.map(form => programInfo(loaded.findLast(l => l.form === form)!.worker.program))
  for (const { worker } of loaded) worker.close()
  return { figures, sizes }
}
