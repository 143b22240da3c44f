// A trace as plain data: one packet through the reference interpreter, with everything it touched.
//
// The packets before it run first, untraced, so that state is what the packet met. Read serial.ts for the oracle,
// steps.ts and notes.ts for how its actions become source lines.

import type { Value } from '../../ir/access.js'
import type { Compiled } from '../../compile.js'
import type { PacketStore } from '../../engine/packets.js'
import { Serial } from '../../engine/serial.js'
import type { SerialOptions } from '../../engine/serial.js'
import { check } from '../../lang/check.js'
import { clockAt } from '../../state/block.js'
import { leavesOf } from '../../state/declaration.js'
import { dumpTable } from '../../state/dump.js'
import { packKey } from '../../state/field.js'
import type { StateLayout } from '../../state/layout.js'
import type { StateMemory } from '../../state/memory.js'
import { Table } from '../../state/table.js'
import { dissect, printFrame } from '../../wire/frame.js'
import { verdictName } from './format.js'
import { explain } from './notes.js'
import type { Note, Variables } from './notes.js'
import { rewritten } from './packet.js'
import type { FieldChange } from './packet.js'
import { Recorder } from './recorder.js'
import { functionOf, SourceIndex } from './source.js'
import { changesOf } from './state.js'
import type { Change } from './state.js'
import { stepsOf } from './steps.js'

export interface TracedStep {
  /** Line of its first character, from 1. */
  readonly line: number
  /** Name of the function it stands in. */
  readonly function: string
  /** Open calls around it. */
  readonly depth: number
  /** Its own lines as they stand in the file. */
  readonly source: readonly string[]
  /** True if the statement goes on here after a call. */
  readonly continued: boolean
  readonly values: readonly Note[]
  /** Of a condition yes or no, of a switch the case. */
  readonly outcome?: string
}

export interface Trace {
  readonly program: string
  readonly file: string
  readonly capture: string
  readonly packet: {
    readonly index: number
    /** Bytes present, and on the wire. */
    readonly length: number
    readonly originalLength: number
    /** ns since the first packet, as the program sees it; decimal, because JSON readers lose digits. */
    readonly timestamp: string
    readonly device: number
    /** One line a header. */
    readonly headers: readonly string[]
  }
  readonly steps: readonly TracedStep[]
  readonly state: readonly Change[]
  readonly counters: Readonly<Record<string, number>>
  readonly verdict: string
  readonly rewritten: readonly FieldChange[]
}

export interface TraceOptions extends Pick<SerialOptions, 'settings' | 'rules' | 'seed'> {
  readonly capture: string
  /** Told how many packets have run. */
  readonly progress?: (done: number) => void
}

/** Traces packet `index` of the store. */
export function trace(compiled: Compiled, store: PacketStore, index: number, options: TraceOptions): Trace {
  const { program, artifact } = compiled
  const { stateLayout, rulesLayout } = artifact
  const common = { ...options, stateLayout, rulesLayout }
  const machine = new Serial(program, common)
  for (let i = 0; i < index; i++) {
    machine.process(store.packet(i))
    if (i % 1000 === 0) options.progress?.(i)
  }
  const packet = store.packet(index)
  const received = packet.bytes.slice()
  let traced: Serial | undefined
  const remark = (object: string, key: readonly Value[]): string | undefined =>
    traced && whyAbsent(traced.memory, stateLayout, object, key, packet.timestamp)
  const recorder = new Recorder(remark)
  traced = new Serial(program, { ...common, tracer: recorder })
  traced.memory.bytes.set(machine.memory.bytes)
  const verdict = traced.process(packet)
  return {
    program: artifact.name,
    file: artifact.file,
    capture: options.capture,
    packet: {
      index,
      length: received.length,
      originalLength: packet.originalLength,
      timestamp: String(packet.timestamp),
      device: packet.device,
      headers: printFrame(dissect(received)),
    },
    steps: tracedSteps(compiled, recorder),
    state: changesOf({ memory: machine.memory, base: 0 }, { memory: traced.memory, base: 0 }, stateLayout),
    counters: Object.fromEntries([...traced.counters].map(([name, n]) => [name, Number(n)])),
    verdict: verdictName(verdict),
    rewritten: rewritten(received, packet.bytes),
  }
}

/** Why a look-up found nothing, if the key's entry is there and has expired. */
function whyAbsent(
  memory: StateMemory,
  layout: StateLayout,
  name: string,
  operands: readonly Value[],
  timestamp: bigint,
): string | undefined {
  const object = layout.objects.find(o => o.name === name)
  if (object?.kind !== 'table' || !object.expire) return undefined
  const { unit, after } = object.expire
  const leaves = object.key.reduce((n, f) => n + leavesOf(f).length, 0)
  const key = packKey(object.key, object.keyBytes, operands.slice(0, leaves).map(BigInt))
  const { entries } = dumpTable(new Table(memory, object.offset, object))
  const entry = entries.find(e => Buffer.from(e.bytes).equals(key))
  if (entry?.touchedTime === undefined) return undefined
  const idle = (clockAt(timestamp, unit) - entry.touchedTime) >>> 0
  return `its entry expired ${idle - after} ${unit} ago`
}

function tracedSteps({ program, artifact }: Compiled, recorder: Recorder): TracedStep[] {
  const { sourceFile, checker } = check(program.file, program.source)
  const index = new SourceIndex(sourceFile)
  const context = { checker, objects: new Map(artifact.objects.map(o => [o.name, o])) }
  const variables = new Map<object | undefined, Variables>()
  return stepsOf(recorder.events, index).flatMap(step => {
    const lines = index.linesOf(step.statement)
    const own = variables.get(step.call) ?? new Map<string, string>()
    variables.set(step.call, own)
    const { notes, outcome } = explain(step, context, own)
    // Nothing is said twice, and constants of the module only where they were computed.
    const silent = step.continued || functionOf(step.statement) === undefined
    if (silent && notes.length === 0 && outcome === undefined) return []
    return {
      line: lines[0].number,
      function: functionOf(step.statement)?.name?.text ?? '',
      depth: step.depth,
      source: lines.map(l => l.text),
      continued: step.continued,
      values: notes,
      ...(outcome !== undefined && { outcome }),
    }
  })
}
