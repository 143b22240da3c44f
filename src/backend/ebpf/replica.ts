// A worker of the replicated strategy in bytecode: entry, replay of the history, and the packet function.
//
// Every worker is a program of its own with maps of its own: nothing in it depends on which worker it is. Read frame.ts
// and replay.ts first.

import type { Func } from '../../ir/types.js'
import { splitAdvance } from '../../transform/split-advance.js'
import type { IsConstant } from '../../transform/split-advance.js'
import { entry } from '../wasm/log.js'
import type { Code } from './asm.js'
import { encode } from './encode.js'
import { verdictsDeclaration } from './entry.js'
import { frameEntry, frameShape, framesDeclaration } from './frame.js'
import { followFunction } from './follow.js'
import type { ItemPlace } from './item.js'
import { copyAt, recoveryDeclarations, recoveryMap } from './logs.js'
import type { Logs } from './logs.js'
import type { HistoryFormat } from '../../wire/history.js'
import type { MapDeclaration } from './maps.js'
import { called, finishFunctions, isRefusal } from './program.js'
import type { BpfCode, CompiledFunction, StackRefusal } from './program.js'
import { recoveringEntry } from './recovering.js'
import { catchUpFunction, copyDeclaration, ringDeclaration, ringItem } from './ring.js'
import type { HistoryRing } from './ring.js'
import { ringEntry } from './ring-entry.js'
import { emptyNotes, noteStride, notesDeclaration, notesMap, replay, usesSequence } from './replay.js'
import { select } from './select.js'
import type { Target } from './target.js'

export interface ReplicaSource {
  readonly callees: readonly Func[]
  readonly main: Func
  readonly advance: Func
  readonly extract: Func
  readonly isConstant: IsConstant
}

export interface ReplicaOptions {
  readonly format: HistoryFormat
  /** Whether an outer Ethernet header stands before the history's. */
  readonly outer: boolean
  /** False for an entry of a CPU map. */
  readonly transmits: boolean
  /** Recovery from lost frames. */
  readonly logs?: Logs
  /** The history is in shared memory, and frames have no slots. */
  readonly ring?: HistoryRing
}

export interface ReplicaCode extends BpfCode {
  /** Maps beyond those of the environment. */
  readonly maps: readonly MapDeclaration[]
  /** First contents of maps, where they are not zero. */
  readonly contents: ReadonlyMap<string, Uint8Array>
}

/** `target.inputs` must be 'frame'. */
export function compileReplica(
  source: ReplicaSource,
  target: Target,
  { format, outer, transmits, logs, ring }: ReplicaOptions,
): ReplicaCode | StackRefusal {
  const frame = frameShape(format, outer)
  const split = splitAdvance(source.advance, format.itemBytes, source.isConstant)
  const functions = [...source.callees, source.main]
  const hasItems = format.slots > 0
  const roots = [
    source.main,
    ...(hasItems ? [split.late] : []),
    ...(logs ? [source.extract, source.advance] : []),
    ...(ring ? [source.advance] : []),
  ]
  const wanted = called(functions, roots).filter(f => f === source.main || !roots.includes(f))
  const machines = wanted.map(f => select(f, target, f === source.main))
  if (hasItems) machines.push(...replay(split, target, frame))
  if (logs)
    machines.push(
      select(source.extract, target, true, copiedItem),
      select(source.advance, target, false, copiedItem),
    )
  if (ring) machines.push(select(source.advance, target, false, ringItem))
  const compiled = finishFunctions(
    machines,
    [
      'main',
      ...(hasItems ? ['replay'] : []),
      ...(logs ? ['extract', 'advance'] : []),
      ...(ring ? ['advance'] : []),
    ],
    logs || ring ? entryFrame + followFrame : 0,
  )
  if (isRefusal(compiled)) return compiled
  const options = { noteStride: noteStride(split), numbers: usesSequence(split), transmits }
  const first = logs
    ? recoveringEntry(frame, options, logs)
    : ring
      ? ringEntry(frame, ring, transmits)
      : frameEntry(frame, options)
  const follow = [
    ...(logs ? [handWritten('follow', followFunction(logs))] : []),
    ...(ring ? [handWritten('catchUp', catchUpFunction(ring))] : []),
  ]
  const all = [handWritten('entry', first), ...compiled.functions, ...follow]
  const code = all.flatMap(f => f.code)
  return {
    functions: all,
    code,
    encoded: encode(code),
    maps: [
      verdictsDeclaration(1),
      framesDeclaration,
      ...(hasItems ? [notesDeclaration(split, format.slots)] : []),
      ...(logs ? recoveryDeclarations(logs) : []),
      ...(ring ? [ringDeclaration(ring), copyDeclaration(ring)] : []),
    ],
    contents: new Map(hasItems ? [[notesMap, emptyNotes(split, format.slots)]] : []),
  }
}

const handWritten = (name: string, code: Code): CompiledFunction => ({
  name,
  code,
  stack: 0,
  largest: 0xffffffffn,
})

/** The item of a packet that is about to be logged, or of a number that is looked at. */
const copiedItem: ItemPlace = {
  item: { map: recoveryMap, at: copyAt + entry.item },
  noteAt: Infinity,
  touches: new Set(),
}

/** Bytes of stack that functions with loops take which keep nothing there, as the kernel rounds. */
const [entryFrame, followFrame] = [32, 32]
