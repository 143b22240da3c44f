// A worker of the replicated strategy in bytecode: entry, replay of the history, and the packet function.
//
// Every worker is a program of its own with maps of its own: nothing in it depends on which worker it is. Read frame.ts
// and replay.ts first.

import type { Func } from '../../ir/types.js'
import { splitAdvance } from '../../transform/split-advance.js'
import type { IsConstant } from '../../transform/split-advance.js'
import { encode } from './encode.js'
import { verdictsDeclaration } from './entry.js'
import { frameEntry, frameShape, framesDeclaration } from './frame.js'
import type { HistoryFormat } from '../../wire/history.js'
import type { MapDeclaration } from './maps.js'
import { called, finishFunctions, isRefusal } from './program.js'
import type { BpfCode, StackRefusal } from './program.js'
import { emptyNotes, noteStride, notesDeclaration, notesMap, replay, usesSequence } from './replay.js'
import { select } from './select.js'
import type { Target } from './target.js'

export interface ReplicaSource {
  readonly callees: readonly Func[]
  readonly main: Func
  readonly advance: Func
  readonly isConstant: IsConstant
}

export interface ReplicaOptions {
  readonly format: HistoryFormat
  /** Whether an outer Ethernet header stands before the history's. */
  readonly outer: boolean
  /** False for an entry of a CPU map. */
  readonly transmits: boolean
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
  { format, outer, transmits }: ReplicaOptions,
): ReplicaCode | StackRefusal {
  const frame = frameShape(format, outer)
  const split = splitAdvance(source.advance, format.itemBytes, source.isConstant)
  const functions = [...source.callees, source.main]
  const hasItems = format.slots > 0
  const wanted = called(functions, hasItems ? [source.main, split.late] : [source.main])
  const machines = wanted.filter(f => f !== split.late).map(f => select(f, target, f === source.main))
  const compiled = finishFunctions(
    hasItems ? [...machines, replay(split, target, frame)] : machines,
    hasItems ? ['main', 'replay'] : ['main'],
  )
  if (isRefusal(compiled)) return compiled
  const entry = frameEntry(frame, {
    noteStride: noteStride(split),
    numbers: usesSequence(split),
    transmits,
  })
  const code = [...entry, ...compiled.code]
  return {
    functions: [{ name: 'entry', code: entry, stack: 0, largest: 0xffffffffn }, ...compiled.functions],
    code,
    encoded: encode(code),
    maps: [
      verdictsDeclaration(1),
      framesDeclaration,
      ...(hasItems ? [notesDeclaration(split, format.slots)] : []),
    ],
    contents: new Map(hasItems ? [[notesMap, emptyNotes(split, format.slots)]] : []),
  }
}
