/**
 * Each of the paper's programs, and a tracker of TCP's states alone, as XDP against hand-written C, in nanoseconds a packet:
 * `node dist/bench/xdp.js [--mode one,many,live|history [--recovery]|executed] [--rounds n] [--repeat n] [--json] [PROGRAM…]`.
 *
 * The C is compiled by `clang -O2 -target bpf -mcpu=v3`, once over BPF_MAP_TYPE_HASH as one would write it, and once
 * over our own table layout. All run the same packets over state that is already there, in turn, in one run; every
 * figure is net of an empty program that was measured right before it. Before anything is measured, builds of the same
 * code that take their time from memory must agree with each other in every verdict and entry.
 *
 * The program under test is what `attach` loads: it also counts verdicts, which the C does not.
 *
 * `--mode history`, by itself, measures workers of the replicated strategy for 2 to 14 of them, on frames of one flow and
 * of 16,384: what a packet costs (c1) and an item of its history (c2), by least squares. With `--recovery` each stands
 * beside the same worker with loss recovery, of which nothing is lost. Beside the tracker of TCP's states stand workers in C.
 *
 * `--mode executed`, by itself, needs no kernel: it counts instructions of bytecode, of a packet whose entry is there and of
 * an item of its history, by executing them. Those of the C stand beside, if clang is installed (of an item, for both
 * trackers: docs/decisions/0315).
 */

import { parseArgs } from 'node:util'
import type { Compiled } from '../src/compile.js'
import { compare, formatComparison } from '../src/measure/compare.js'
import type { BenchmarkRecord } from '../src/measure/record.js'
import { formatTable } from '../src/measure/table.js'
import { programInfo } from '../src/sys/info.js'
import { testRun } from '../src/sys/test-run.js'
import { compilerVersion } from './baseline/build.js'
import { differences } from './xdp/check.js'
import type { Contestant } from './xdp/contestant.js'
import {
  executedByNative,
  executedByNativeItems,
  executedByNativeWorker,
  executedByOurs,
  executedByWorker,
} from './xdp/executed.js'
import { measureHistory, ourForms } from './xdp/history.js'
import type { Form } from './xdp/history.js'
import { modeLive } from './xdp/live.js'
import { modeMany, modeOne } from './xdp/measure.js'
import { loadNative, withHistory, withWorker } from './xdp/native.js'
import { loadNativeWorker } from './xdp/native-worker.js'
import { compileBundled, loadOurs } from './xdp/ours.js'
import { packetsOf, programs } from './xdp/packets.js'
import type { PacketSet } from './xdp/packets.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mode: { type: 'string', default: 'one,many' },
    rounds: { type: 'string', default: '11' },
    repeat: { type: 'string', default: '500000' },
    json: { type: 'boolean', default: false },
    recovery: { type: 'boolean', default: false },
  },
})
const compiler = compilerVersion()
if (values.mode === 'history') {
  await measureWorkers(positionals.length ? positionals : programs)
  process.exit(0)
}
if (values.mode === 'executed') {
  countExecuted(positionals.length ? positionals : programs)
  process.exit(0)
}
if (compiler === undefined) {
  console.error('the baselines need clang, which is not installed')
  process.exit(2)
}
const repeat = Number(values.repeat)
const makers = { one: modeOne, many: modeMany, live: modeLive }
const wanted = values.mode.split(',') as (keyof typeof makers)[]
/** One under which no insertion of these flows displaces an entry, which the C cannot. */
const seed = 1n

interface Row {
  readonly cells: readonly string[]
}
const rows: Row[] = []
const records: BenchmarkRecord[] = []
let failed = false

function contestants(name: string, check: boolean): Contestant[] {
  const compiled = compileBundled(name)
  const inputs = { settings: packetsOf(name).settings, seed, check }
  const { artifact } = compiled
  return [
    loadOurs(compiled, inputs),
    loadNative(name, 'hash', artifact, inputs),
    loadNative(name, 'cuckoo', artifact, inputs),
  ]
}

async function measure(name: string): Promise<void> {
  const packets = packetsOf(name)
  const checked = contestants(name, true)
  const different = differences(checked, packets)
  checked.forEach(c => c.close())
  if (different.length) {
    console.error(`${name}: these are not the same program\n  ${different.join('\n  ')}`)
    failed = true
    return
  }
  const all = contestants(name, false)
  for (const { program } of all) for (const data of packets.before) testRun(program, { data })
  const figures: (readonly BenchmarkRecord[])[] = []
  for (const which of wanted) {
    const mode = makers[which](packets, repeat)
    const comparison = await compare(
      all.map(({ name: candidate, program }) => ({ name: candidate, run: () => mode.measure(program) })),
      {
        rounds: Number(values.rounds),
        warmup: 1,
        unit: 'ns/packet',
        parameters: { program: name, mode: which, repeat, compiler: `${compiler} -O2 -mcpu=v3` },
      },
    )
    mode.close()
    figures.push(comparison.records)
    records.push(...comparison.records)
    if (!values.json) process.stdout.write(`${name}, ${which}\n${formatComparison(comparison)}\n`)
  }
  all.forEach(({ name: candidate, program }, k) => {
    const { verifiedInstructions, jitedBytes, translatedBytes } = programInfo(program)
    const cells = figures.flatMap(f => {
      const ratio = f[0].summary.median / f[k].summary.median
      return [f[k].summary.median.toFixed(1), k === 0 ? '' : ratio.toFixed(3)]
    })
    const sizes = [translatedBytes / 8, jitedBytes, verifiedInstructions].map(String)
    rows.push({ cells: [k === 0 ? name : '', candidate, ...cells, ...sizes] })
  })
  all.forEach(c => c.close())
}

async function measureWorkers(names: readonly string[]): Promise<void> {
  const cells: string[][] = [['', 'c1 hot', 'c2 hot', 'c1 many', 'c2 many', 'jited B', 'verified']]
  const all: BenchmarkRecord[] = []
  for (const name of names) {
    const found = packetsOf(name)
    // Time stands still in these frames: no bucket may run empty.
    const still = name === 'token-bucket' ? [['burst', 4_000_000_000n] as const] : []
    const packets = { ...found, settings: new Map([...found.settings, ...still]) }
    const compiled = compileBundled(name)
    const forms = [
      ...ourForms(name, compiled, packets, values.recovery),
      ...(compiler !== undefined && withWorker.has(name) ? formsInC(name, compiled, packets) : []),
    ]
    const options = { rounds: Number(values.rounds), repeat: Number(values.repeat) }
    const { figures, sizes } = await measureHistory(name, forms, options)
    all.push(...figures.flatMap(f => f.records))
    sizes.forEach(({ jitedBytes, verifiedInstructions }, k) => {
      const costs = figures
        .filter(f => f.form === forms[k].name)
        .flatMap(({ c1, c2 }) => [c1.toFixed(1), c2.toFixed(2)])
      cells.push([forms[k].name, ...costs, String(jitedBytes), String(verifiedInstructions)])
    })
  }
  if (values.json) console.log(JSON.stringify(all, null, 1))
  else process.stdout.write(`${formatTable(cells, 'lrrrrrr')}\n\nns; sizes are those of 14 workers\n`)
}

function formsInC(name: string, { artifact }: Compiled, packets: PacketSet): Form[] {
  return (['hash', 'cuckoo'] as const).map(kind => ({
    name: `  C, ${kind === 'hash' ? 'HASH' : 'same table'}`,
    load: workers => loadNativeWorker(name, kind, artifact, packets, workers),
  }))
}

function countExecuted(names: readonly string[]): void {
  const found = names.map(name => {
    const compiled = compileBundled(name)
    const packets = packetsOf(name)
    const [few, many] = [2, 14].map(n => executedByWorker(compiled, packets, n).trace.length)
    const inC = compiler !== undefined && (withHistory.has(name) || withWorker.has(name))
    return {
      name,
      packet: executedByOurs(compiled, packets).trace.length,
      native: compiler === undefined ? undefined : executedByNative(name, compiled, packets).trace.length,
      item: (many - few) / 12,
      nativeItem: inC ? itemOfNative(name, compiled) : undefined,
    }
  })
  if (values.json) return console.log(JSON.stringify(found, null, 1))
  const cells = found.map(f =>
    [f.name, f.packet, f.native ?? '-', f.item.toFixed(1), f.nativeItem?.toFixed(1) ?? '-'].map(String),
  )
  const head = ['instructions', 'packet', 'of C, same table', 'item', 'of C']
  process.stdout.write(`${formatTable([head, ...cells], 'lrrrr')}\n`)
}

function itemOfNative(name: string, compiled: ReturnType<typeof compileBundled>): number {
  const count = withWorker.has(name) ? executedByNativeWorker : executedByNativeItems
  const [few, many] = [1, 13].map(n => count(name, compiled, packetsOf(name), n).trace.length)
  return (many - few) / 12
}

for (const name of positionals.length ? positionals : programs) await measure(name)
if (values.json) console.log(JSON.stringify(records, null, 1))
else {
  const head = ['', 'ns a packet', ...wanted.flatMap(m => [m, 'ratio']), 'xlated', 'jited B', 'verified']
  const table = formatTable([head, ...rows.map(r => [...r.cells])], `ll${'rr'.repeat(wanted.length)}rrr`)
  process.stdout.write(`${table}\n\nratio: hairpin over this C\n`)
}
if (failed) process.exitCode = 1
