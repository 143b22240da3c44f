// The sequencer in bytecode: it numbers packets, stamps their time, extracts their items, puts the history of the packets
// before in front of each (docs/history-format.md), and sprays the frames over workers in turn.
//
//   admitted? → number, time → extract → room for the header → header, ring of items → turn → CPU map
//
// It keeps everything in one map that nothing else writes, so exactly one may run at a time for one state: on one receive
// queue, whose packets the kernel handles one after the other, or as the entry of a CPU map. A packet is numbered only if
// its worker's queue has room for it, reckoned from what that worker says it has handled: what is dropped here was never
// numbered, and no worker misses it. What it keeps is laid out in sequencer-map.ts, the code is in
// sequencer-entry.ts; frame.ts takes apart what is made here.

import type { Func } from '../../ir/types.js'
import { encode } from './encode.js'
import { called, finishFunctions, isRefusal } from './program.js'
import type { BpfCode, StackRefusal } from './program.js'
import { recordFunction } from './recording.js'
import { select } from './select.js'
import { creditFunction, entryStack, extractInside, flushEntry, packetEntry } from './sequencer-entry.js'
import { ringPlaces, sequencerMap } from './sequencer-map.js'
import type { SequencerOptions } from './sequencer-map.js'
import type { Target } from './target.js'

export interface SequencerSource {
  readonly callees: readonly Func[]
  readonly extract: Func
}

/** `target.inputs` must be 'frame'. */
export function compileSequencer(
  { callees, extract }: SequencerSource,
  target: Target,
  options: SequencerOptions,
): BpfCode | StackRefusal {
  const { frame, workers, ring, flush = false } = options
  const hasItems = (frame.slots > 0 || ring !== undefined) && !flush
  const at = ringPlaces(workers, frame)
  const item = { item: { map: sequencerMap, at: at.item }, noteAt: Infinity, touches: new Set<never>() }
  const wanted = hasItems ? called([...callees, extract], [extract]) : []
  const made = finishFunctions(
    wanted.map(f => (f === extract ? select(f, target, true, item) : select(f, target, false))),
    hasItems ? [extract.name] : [],
    entryStack,
  )
  if (isRefusal(made)) return made
  const body = made.functions.find(f => f.name === extract.name)
  const take = body ? extractInside(body) : []
  const own = (name: string, code: BpfCode['code']) => ({ name, code, stack: 0, largest: 2n ** 64n - 1n })
  const functions = [
    own('entry', flush ? flushEntry(options, at) : packetEntry(options, at, take)),
    ...(flush ? [] : [own('credit', creditFunction(options))]),
    ...(flush || options.record === undefined ? [] : [own('record', recordFunction(options.record))]),
    ...made.functions.filter(f => f !== body),
  ]
  const code = functions.flatMap(f => f.code)
  return { functions, code, encoded: encode(code) }
}
