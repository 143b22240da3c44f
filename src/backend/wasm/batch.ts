// The module that runs: a program's functions embedded in loops over batches of packets, one loop per way of running.
// What the loops are for stands in src/strategy; how a loop is made, in loops/loop.ts.

import type { Func as IrFunc } from '../../ir/types.js'
import { block, br, label, local } from './asm.js'
import type { Local } from './asm.js'
import { encode } from './encode.js'
import type { Embedding } from './embedding.js'
import { wasmType } from './embedding.js'
import { placed } from './loops/loop.js'
import type { BatchSource, Way } from './loops/loop.js'
import { classify, mixed, vote } from './loops/hybrid.js'
import { handOut, keep, takeIn } from './loops/handover.js'
import { deal } from './loops/deal.js'
import { dealt, recovered } from './loops/recovery.js'
import { extract, replicated } from './loops/replicated.js'
import { listed, steer } from './loops/sharded.js'
import { section } from './loops/section.js'
import { shared } from './loops/shared.js'
import { single } from './loops/single.js'
import { tally } from './loops/tally.js'
import { encapsulate, restore, valued } from './loops/value.js'
import { lower } from './lower.js'
import { Module } from './module.js'
import type { Func } from './module.js'

export type { BatchSource, Placement, Way } from './loops/loop.js'

/** The limits of the memory the module imports as env.memory, in 64 KiB pages; shared, of fixed size. */
export const importedMemory = { initial: 1, maximum: 65_536, shared: true } as const

/** The module's bytes. */
export function batchModule(source: BatchSource): Uint8Array {
  return encode(buildModule(source))
}

/** The module as a value, for printing. */
export function buildModule(source: BatchSource): Module {
  const module = new Module(source.name)
  module.importMemory('env', 'memory', importedMemory)
  const callees = new Map<string, Func>()
  for (const f of source.callees) callees.set(f.name, callee(module, source, f, callees))
  const parts = { module, source, callees }
  const runs = (way: Way): boolean => source.ways?.includes(way) ?? true
  single(parts)
  // Without replication there is no slice, and without sharding no steering.
  if (source.slice) extract(parts, source.slice)
  if (source.slice && runs('replicated')) replicated(parts, source.slice)
  if (source.slice && runs('replicated-by-value')) {
    encapsulate(parts, source.slice)
    valued(parts, source.slice)
    restore(parts)
    if (source.recovery) recovered(parts, source.slice)
  }
  if (source.steer) steer(parts, source.steer)
  if (source.hybrid && source.steer && source.slice) {
    vote(parts, source.steer)
    classify(parts, source.steer, source.slice)
    mixed(parts, source.slice)
    if (source.recovery) {
      deal(parts, source.steer, source.slice)
      dealt(parts, source.slice)
    }
    if (source.handover) {
      keep(parts, source.steer, source.slice)
      handOut(parts, source.handover.handOut)
      takeIn(parts, source.handover.takeIn, source.slice)
    }
  }
  if (runs('sharded')) listed(parts)
  if (runs('shared')) shared({ ...parts, section: section(module) })
  tally(module)
  return module
}

/** A program function that others call: block addresses first, then its own parameters. */
function callee(module: Module, source: BatchSource, ir: IrFunc, known: ReadonlyMap<string, Func>): Func {
  const own = Object.fromEntries(ir.params.map((p, k) => [`arg${k}`, wasmType(p.type)]))
  const results = ir.result === 'void' ? [] : [wasmType(ir.result)]
  const func = module.func(ir.name, { state: 'i32', rules: 'i32', ...own }, results)
  const { state, rules } = func.params as Record<string, Local>
  const none = (what: string) => (): never => {
    throw new Error(`${ir.name} uses ${what}`)
  }
  const out = label('out')
  const value = results.length ? func.local('result', results[0]) : undefined
  const embedding: Embedding = {
    func,
    params: func.locals.slice(2),
    packet: state,
    length: state,
    item: state,
    input: none('a packet'),
    setting: none('a setting'),
    counter: none('a counter'),
    object: placed(source.placement, state, rules),
    callee: name => ({ func: known.get(name)!, leading: [local.get(state), local.get(rules)] }),
    leave: ([result]) => [value && result ? [result, local.set(value)] : [], br(out)],
  }
  func.emit(block(out, [lower(ir, embedding)]), value ? local.get(value) : [])
  return func
}
