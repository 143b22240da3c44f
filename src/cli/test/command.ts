// hairpin test: the packets a program keeps, compared with a capture that holds what they should be; in WebAssembly, in
// the kernel, or in both, which are compared with each other. README.md beside this file is the help.

import { openCapture } from '../../device/capture.js'
import { faultText } from '../../device/fault.js'
import { compiledWalkers } from '../../device/walker.js'
import { loadPackets, storeSource } from '../../engine/packets.js'
import type { PacketStore } from '../../engine/packets.js'
import { plan } from '../../engine/plan.js'
import type { Plan } from '../../engine/plan.js'
import type { Artifact } from '../../engine/artifact.js'
import { stateMemory } from '../../state/memory.js'
import { median } from '../../measure/statistics.js'
import { Failure, UsageError } from '../command.js'
import type { Command, Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, onlyArgument, required, text } from '../flags.js'
import { captureOf, openable, optionsOf, rowsOf, runFlags, strategyOf } from '../inputs.js'
import { withKernelAsync } from '../kernel.js'
import { hint } from '../nearest.js'
import { refuseTrial } from '../routes.js'
import { compileProgram, loadArtifact } from '../program.js'
import { Expectation } from './expectation.js'
import { Agreement, kernelTimes, runKernel, runnableOf } from './kernel.js'
import { reportText } from './report.js'
import type { Report } from './report.js'
import { runWasm, wasmTime } from './wasm.js'

const backends = ['wasm', 'ebpf', 'both'] as const
type Backend = (typeof backends)[number]

export const command: Command = {
  name: 'test',
  flags: {
    ...runFlags,
    expect: { type: 'string', short: 'e' },
    backend: { type: 'string', short: 'b' },
    repeat: { type: 'string' },
  },
  async run(flags, io) {
    const file = onlyArgument(flags, 'PROGRAM')
    const input = captureOf(flags)
    const backend = backendOf(text(flags, 'backend') ?? 'wasm')
    // Two programs that are compared with each other need no third to compare with.
    const given = backend === 'both' ? text(flags, 'expect') : required(flags, 'expect', 'FILE')
    const expected = given === undefined ? undefined : packetsOf(openable(given))
    const repeat = integer(flags, 'repeat', { least: 1, most: 1000 }) ?? 1
    const subject: Subject = { file, input, expected, repeat }
    const report =
      backend === 'wasm'
        ? await testWasm(subject, await loadArtifact(file, io), flags)
        : await withKernelAsync(() => testKernel(subject, backend, flags, io))
    io.out(isSet(flags, 'json') ? `${JSON.stringify(report)}\n` : reportText(report, repeat))
    return report.equal ? exit.ok : exit.no
  },
}

interface Subject {
  readonly file: string
  readonly input: string
  readonly expected: PacketStore | undefined
  readonly repeat: number
}

function backendOf(given: string): Backend {
  const found = backends.find(b => b === given)
  if (found) return found
  throw new UsageError(`--backend takes ${backends.join(', ')}, not ${given}.${hint(given, [...backends])}`)
}

function packetsOf(path: string): PacketStore {
  const store = loadPackets((memory, workspace) => openCapture(path, { memory, workspace }))
  if (store.fault) throw new Failure(faultText(store.fault), exit.input)
  return store
}

function planOf(artifact: Artifact, flags: Flags): Plan {
  const planned = plan(artifact, { ...optionsOf(flags, artifact), strategy: strategyOf('single'), cores: 1 })
  if ('error' in planned) throw new Failure(planned.error, exit.program)
  return planned
}

/** The capture is read as it runs, however large it is. */
async function testWasm(subject: Subject, artifact: Artifact, flags: Flags): Promise<Report> {
  const { input, repeat, expected } = subject
  const planned = planOf(artifact, flags)
  const { rules } = optionsOf(flags, artifact)
  const expectation = new Expectation(expected!)
  const times: number[] = []
  let received = 0
  for (let n = 0; n < repeat; n++) {
    const result = await runWasm(
      artifact,
      planned,
      rules,
      (memory, workspace) => openCapture(input, { memory, workspace, walkers: compiledWalkers(memory) }),
      n === 0 ? (index, verdict, bytes) => expectation.take(index, verdict, bytes) : undefined,
    )
    received = result.received
    times.push(wasmTime(result))
  }
  const difference = expectation.finish() ?? null
  return {
    program: artifact.name,
    backend: 'wasm',
    equal: difference === null,
    received,
    kept: expectation.kept,
    expected: expected!.count,
    difference,
    nanosecondsPerPacket: repeat > 1 && received > 0 ? { wasm: median(times) } : {},
  }
}

/** The capture is held in memory; packets that the kernel takes in no test run are left out of both programs' runs. */
async function testKernel(subject: Subject, backend: 'ebpf' | 'both', flags: Flags, io: Io): Promise<Report> {
  const { file, input, repeat, expected } = subject
  const compiled = await compileProgram(file, io)
  const { artifact } = compiled
  refuseTrial(artifact)
  const planned = planOf(artifact, flags)
  const { settings = new Map<string, bigint>(), seed = 1n, rules } = optionsOf(flags, artifact)
  const rows = rowsOf(flags, artifact)
  const options = { settings, seed, rows, ...(rules && { rules }) }
  const run = runnableOf(packetsOf(input))
  const expectation = expected && new Expectation(expected)
  const agreement = new Agreement(run.numbers)
  const times: { wasm?: number; ebpf?: number } = {}

  const both = backend === 'both'
  const runs: number[] = []
  let wasm: Awaited<ReturnType<typeof runWasm>> | undefined
  for (let n = 0; n < (both ? repeat : 0); n++) {
    const first = n === 0
    const result = await runWasm(
      artifact,
      planned,
      rules,
      storeSource(run.packets),
      first ? (_, verdict, bytes) => agreement.remember(verdict, bytes) : undefined,
    )
    if (first) wasm = result
    runs.push(wasmTime(result))
  }
  const end = runKernel(compiled, options, run, (index, verdict, bytes) => {
    if (both) agreement.compare(index, verdict, bytes)
    expectation?.take(run.numbers[index], verdict, bytes)
  })
  const disagreement =
    wasm &&
    agreement.finish(
      compiled,
      { memory: stateMemory(wasm.memory.buffer), base: planned.map.state[0], counters: wasm.counters },
      end,
    )
  if (repeat > 1) {
    if (both) times.wasm = median(runs)
    times.ebpf = median(kernelTimes(compiled, options, run, repeat))
  }
  const difference = expectation?.finish() ?? null
  return {
    program: artifact.name,
    backend,
    equal: difference === null && !disagreement,
    received: run.packets.count,
    kept: expectation?.kept ?? null,
    expected: expected?.count ?? null,
    difference,
    ...(both && { disagreement: disagreement ?? null }),
    skipped: run.skipped,
    nanosecondsPerPacket: times,
  }
}
