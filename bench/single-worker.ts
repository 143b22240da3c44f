/**
 * Each program's single-worker WebAssembly loop against hand-written C of the same program and table layout:
 * `node dist/bench/single-worker.js [--packets n] [--rounds n] [--flags '-O2 -march=native'] [PROGRAM…]`.
 *
 * Both sides run the same packets over state that is already there, in turn, in one run. Afterwards counters, verdicts,
 * state and packets of both must be the same bytes, else the comparison means nothing and the benchmark fails.
 *
 * Rounds are compared as they come and, where others use the machine, by the least time that each batch of 1024 packets
 * took in any round, summed over the batches. By that the benchmark fails if a program takes more than 1.25 times as
 * long as its C.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compare, formatComparison } from '../src/measure/compare.js'
import { formatTable } from '../src/measure/table.js'
import { baselines, compilerVersion } from './baseline/build.js'
import { startNative } from './native.js'
import { prepare, startWasm } from './prepared.js'
import type { Prepared } from './prepared.js'

/** Time per packet may be this many times that of C. */
const limit = 1.25

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packets: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '11' },
    flags: { type: 'string', default: '-O2' },
  },
})
const count = Number(values.packets)
const compiler = compilerVersion()
if (compiler === undefined) {
  console.error('the baselines need clang, which is not installed')
  process.exit(2)
}

interface Row {
  readonly name: string
  /** Nanoseconds a packet: medians of rounds, and summed least times of batches. */
  readonly medians: readonly [native: number, wasm: number]
  readonly least: readonly [native: number, wasm: number]
  readonly ratio: number
  readonly difference: string
}

/** Where two dumps differ, in words; undefined if they do not. */
function differenceOf(prepared: Prepared, a: Uint8Array, b: Uint8Array): string | undefined {
  const parts: [string, number][] = [
    ['counters', 8 * prepared.counters],
    ['verdicts', 4 * prepared.packets.count],
    ['state', prepared.state.length],
    ['packets', prepared.packets.data.length],
  ]
  if (Buffer.compare(a, b) === 0) return undefined
  let at = 0
  for (const [what, size] of parts) {
    for (let i = 0; i < size; i++) if (a[at + i] !== b[at + i]) return `${what} differ at byte ${i}`
    at += size
  }
  return `${a.length} and ${b.length} bytes`
}

async function measure(name: string, folder: string): Promise<Row> {
  const prepared = prepare(name, count)
  const native = startNative(name, prepared, folder, values.flags.split(' '))
  const wasm = startWasm(prepared)
  const perPacket = async (round: () => Promise<number> | number): Promise<number> => (await round()) / count
  const comparison = await compare(
    [
      { name: 'C', run: () => perPacket(native.round) },
      { name: 'WebAssembly', run: () => perPacket(wasm.round) },
    ],
    {
      rounds: Number(values.rounds),
      warmup: 3,
      unit: 'ns/packet',
      parameters: { program: name, packets: count, compiler: `${compiler} ${values.flags}` },
    },
  )
  process.stdout.write(`${name}\n${formatComparison(comparison)}\n`)
  const difference = differenceOf(prepared, await native.dump(), wasm.dump() as Uint8Array)
  const least = [(await native.least()) / count, Number(wasm.least()) / count] as const
  native.close()
  const [c, w] = comparison.records.map(record => record.summary.median)
  const ratio = comparison.ratios[0].ratio.summary.median
  return { name, medians: [c, w], least, ratio, difference: difference ?? 'none' }
}

const folder = mkdtempSync(join(tmpdir(), 'hairpin-bench-'))
try {
  const rows: Row[] = []
  for (const name of positionals.length ? positionals : baselines) rows.push(await measure(name, folder))
  const ratioOf = ({ least: [native, wasm] }: Row): number => wasm / native
  const lines = rows.map(r => [
    r.name,
    ...r.medians.map(ns => ns.toFixed(1)),
    r.ratio.toFixed(3),
    ...r.least.map(ns => ns.toFixed(1)),
    ratioOf(r).toFixed(3),
    ratioOf(r) <= limit ? '' : `over ${limit}`,
    r.difference,
  ])
  const head = [
    'ns a packet',
    'C median',
    'WebAssembly',
    'ratio',
    'C least',
    'WebAssembly',
    'ratio',
    '',
    'difference',
  ]
  process.stdout.write(`${formatTable([head, ...lines], 'lrrrrrrll')}\n`)
  if (rows.some(r => r.difference !== 'none' || ratioOf(r) > limit)) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true })
}
