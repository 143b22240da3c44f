/**
 * What each optimisation pass gains: every program compiled with all passes, and once for each pass without it, run in
 * turn over the same packets: `node dist/bench/passes.js [--packets n] [--rounds n] [--pass NAME]… [PROGRAM…]`.
 *
 * A cell is the time per packet without the pass over the time with all of them, so 1.10 means that the pass is worth
 * 10 %. It compares the least times of all rounds, which other load on the machine disturbs least. The last column is
 * the size of the module in the same sense. `none` leaves out all passes. With --executed, instructions that the
 * interpreter executes are compared instead of time (executed.ts).
 */

import { parseArgs } from 'node:util'
import { formatTable } from '../src/measure/table.js'
import { compare } from '../src/measure/compare.js'
import { passes } from '../src/transform/optimise.js'
import { executedPerPacket } from './executed.js'
import { prepare, startWasm } from './prepared.js'
import { workloads } from './workload.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packets: { type: 'string', default: '400000' },
    rounds: { type: 'string', default: '15' },
    pass: { type: 'string', multiple: true },
    executed: { type: 'boolean', default: false },
  },
})
const count = Number(values.packets)
/** Unrolling is for the slicer, the parts of simplify-cfg are measured with it. */
const notAlone = new Set(['unroll', 'thread', 'select'])
const names = values.pass ?? [...Object.keys(passes).filter(p => !notAlone.has(p)), 'none']
const programs = positionals.length ? positionals : Object.keys(workloads)

interface Measured {
  readonly time: number
  readonly bytes: number
}

/** Least time (or instructions) per packet and module size, with all passes and without each. */
async function measure(program: string): Promise<Measured[]> {
  const variants = [[], ...names.map(n => (n === 'none' ? Object.keys(passes) : [n]))]
  const prepared = variants.map(without => prepare(program, count, { without }))
  if (values.executed) {
    const { packets } = prepared[0]
    return variants.map((v, k) => ({
      time: executedPerPacket(program, packets, v),
      bytes: prepared[k].wasm.length,
    }))
  }
  const runs = prepared.map(startWasm)
  const { records } = await compare(
    runs.map((r, k) => ({
      name: k === 0 ? 'all' : `without ${names[k - 1]}`,
      run: async () => Number(await r.round()) / count,
    })),
    { rounds: Number(values.rounds), warmup: 3, unit: 'ns/packet', parameters: { program, packets: count } },
  )
  return records.map((r, k) => ({ time: Math.min(...r.samples), bytes: prepared[k].wasm.length }))
}

const measured: Measured[][] = []
for (const program of programs) measured.push(await measure(program))
const ratio = (a: number, b: number): string => (a / b).toFixed(2)
const mean = (list: number[]): number => Math.exp(list.reduce((s, x) => s + Math.log(x), 0) / list.length)
const lines = names.map((name, k) => [
  name,
  ...measured.map(m => ratio(m[k + 1].time, m[0].time)),
  ratio(mean(measured.map(m => m[k + 1].time / m[0].time)), 1),
  ratio(mean(measured.map(m => m[k + 1].bytes / m[0].bytes)), 1),
])
const all = [
  values.executed ? 'all, executed' : 'all, ns/packet',
  ...measured.map(m => m[0].time.toFixed(1)),
  '',
  '',
]
const rows = [['without', ...programs, 'mean', 'size'], all, ...lines]
process.stdout.write(`${formatTable(rows, `l${'r'.repeat(programs.length + 2)}`)}\n`)
