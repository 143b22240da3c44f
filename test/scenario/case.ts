/**
 * A scenario: a folder with packets, settings, and what a program must make of them.
 *
 *   settings.json   the program, what the case shows, parameters, rule files, changed sizes
 *   in.pcap         the packets                        verdicts.txt    time, verdict and description of each
 *   out.pcap        those not dropped, as they leave   counters.json   all counters of the program
 *   state.json      state at the last packet's time; of a pool only the first free numbers
 *
 * The files are written by tools/scenarios.ts, which has each case with the verdicts and counters that its author
 * expects; this module runs one, for the tool and for the test.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import { openCapture } from '../../src/device/capture.js'
import { descriptor, descriptorBytes, verdictNumber } from '../../src/device/slab.js'
import { openOutput } from '../../src/device/writer.js'
import { loadPackets } from '../../src/engine/packets.js'
import { plan } from '../../src/engine/plan.js'
import { start } from '../../src/engine/run.js'
import { Serial } from '../../src/engine/serial.js'
import { dumpState, dumpToJson } from '../../src/state/dump.js'
import type { Dump } from '../../src/state/dump.js'
import { sizeOf } from '../../src/state/declaration.js'
import type { Display, FieldDecl, FieldType } from '../../src/state/declaration.js'
import { stateMemory } from '../../src/state/memory.js'
import { buildRules } from '../../src/state/rules.js'
import { readRules } from '../../src/state/rules-file.js'
import { read } from '../../src/state/text.js'
import type { Strategy } from '../../src/strategy/strategy.js'
import { root } from '../../tools/sources.js'

export const scenarioFolder = join(root, 'test/scenario')

export interface Settings {
  readonly program: string
  readonly about: string
  readonly set?: Readonly<Record<string, number | string>>
  readonly table?: Readonly<Record<string, string>>
  /** Changes of the program's text, each of which must fit exactly once. */
  readonly edits?: readonly (readonly [from: string, to: string])[]
}

/** What a run made of the packets. */
export interface Outcome {
  /** `drop`, `pass`, `transmit`, `redirect 3`, `aborted`. */
  readonly verdicts: readonly string[]
  readonly counters: Readonly<Record<string, number>>
  readonly state: readonly object[]
  /** Capture of the packets that were not dropped; the serial run writes none. */
  readonly out?: Uint8Array
}

export interface Subject extends Compiled {
  readonly settings: ReadonlyMap<string, bigint>
  readonly rules?: Uint8Array
}

const compiledBefore = new Map<string, Compiled>()

/** A program with some of its text changed, compiled once. */
function compiledWith(program: string, edits: Settings['edits'] = []): Compiled {
  const path = join(root, 'programs', `${program}.ts`)
  const original = readFileSync(path, 'utf8')
  const text = edits.reduce((before, [from, to]) => {
    if (before.split(from).length === 2) return before.replace(from, to)
    throw new Error(`${program}: \`${from}\` does not stand there once`)
  }, original)
  const known = compiledBefore.get(text)
  if (known) return known
  const { compiled, diagnostics } = compile(path, text)
  if (!compiled) throw new Error(diagnostics.map(d => `${d.code}: ${d.message}`).join('\n'))
  compiledBefore.set(text, compiled)
  return compiled
}

/** A scenario's program with its settings; throws what is wrong with it. */
export function subjectOf({ program, set = {}, table = {}, edits }: Settings): Subject {
  const compiled = compiledWith(program, edits)
  const { artifact } = compiled
  const settings = new Map(
    Object.entries(set).map(([name, value]) => {
      const info = artifact.settings.find(s => s.name === name)
      if (!info) throw new Error(`${program} has no parameter ${name}`)
      const type = info.type as FieldType
      const display = info.display as Display | undefined
      const field: FieldDecl = { name, type, bytes: sizeOf(type), ...(display && { display }) }
      const number = read(field, String(value))
      if (number === undefined || typeof number === 'object') throw new Error(`${name}: ${value}`)
      return [name, BigInt(number)]
    }),
  )
  if (artifact.rules.length === 0) return { ...compiled, settings }
  const rows = Object.fromEntries(
    Object.entries(table).map(([name, file]) => {
      const declaration = artifact.rules.find(r => r.name === name)
      if (!declaration) throw new Error(`${program} has no rule table ${name}`)
      const format = file.endsWith('.json') ? 'json' : 'csv'
      const { rows, problems } = readRules(readFileSync(join(root, file), 'utf8'), format, declaration)
      if (problems.length) throw new Error(problems.map(p => `${file}:${p.line}: ${p.message}`).join('\n'))
      return [name, rows]
    }),
  )
  const built = buildRules(artifact.rulesLayout, rows)
  if (!built.ok) throw new Error(built.message)
  return { ...compiled, settings, rules: built.bytes }
}

/** Runs the compiled program on a capture. Undefined if the program cannot run this way. */
export async function runCompiled(
  subject: Subject,
  capture: string,
  strategy: Strategy,
  cores: number,
): Promise<Outcome | undefined> {
  const { artifact, settings, rules } = subject
  const options = { strategy, cores, settings, sinks: 1, virtual: cores > 1, ...(rules && { rules }) }
  const planned = plan(artifact, options)
  if ('error' in planned) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-scenario-'))
  try {
    const out = join(folder, 'out.pcap')
    const verdicts: string[] = []
    let last = 0n
    const kept = (1 << verdictNumber.pass) | (1 << verdictNumber.transmit) | (1 << verdictNumber.redirect)
    const result = await start(
      artifact,
      planned,
      strategy,
      {
        open: (memory, workspace) => openCapture(capture, { memory, workspace }),
        sinks: [
          {
            selection: { verdicts: kept },
            make: (memory, workspace, origin) => openOutput(out, { memory, workspace, origin }),
          },
        ],
        collect(slab, count, _, { buffer }) {
          const view = new DataView(buffer)
          for (let i = 0; i < count; i++) {
            const at = slab.descriptors + i * descriptorBytes
            verdicts.push(verdictText(view.getUint32(at + descriptor.verdict, true)))
            last = view.getBigUint64(at + descriptor.timestamp, true)
          }
        },
      },
      rules,
    )
    const memory = stateMemory(result.memory.buffer)
    return {
      verdicts,
      counters: numbers(Object.entries(result.counters)),
      state: dumpState(memory, planned.map.state[0], artifact.stateLayout, last).map(stateJson),
      out: readFileSync(out),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Runs the program's IR in the reference interpreter. */
export function runInterpreted(subject: Subject, capture: string): Outcome {
  const { artifact, program, settings, rules } = subject
  const store = loadPackets((memory, workspace) => openCapture(capture, { memory, workspace }))
  const { stateLayout, rulesLayout } = artifact
  const machine = new Serial(program, {
    stateLayout,
    rulesLayout,
    settings,
    seed: 1n,
    ...(rules && { rules }),
  })
  const packets = Array.from({ length: store.count }, (_, i) => store.packet(i))
  const verdicts = packets.map(packet => verdictText(machine.process(packet)))
  const last = packets.at(-1)?.timestamp ?? 0n
  const zeros = artifact.counters.map(({ name }) => [name, 0n] as const)
  return {
    verdicts,
    counters: numbers([...zeros, ...machine.counters]),
    state: dumpState(machine.memory, 0, stateLayout, last).map(stateJson),
  }
}

const numbers = (entries: Iterable<readonly [string, bigint]>): Record<string, number> =>
  Object.fromEntries([...entries].map(([name, count]) => [name, Number(count)]))

function verdictText(word: number): string {
  const name = Object.entries(verdictNumber).find(([, number]) => number === (word & 0xff))?.[0] ?? `${word}`
  return name === 'redirect' ? `redirect ${word >>> 8}` : name
}

/** Free numbers of a pool that a scenario looks at. */
const shownNumbers = 4

function stateJson(dump: Dump): object {
  const json = dumpToJson(dump)
  return dump.kind === 'pool' ? { ...json, free: dump.free.slice(0, shownNumbers) } : json
}
