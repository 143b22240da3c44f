/**
 * How many IR instructions a packet takes, counted by the interpreter: unlike time, the same on every machine and
 * under any load. State operations count as one each, constants and phis as none.
 */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compileSource } from '../src/lang/source.js'
import { Serial } from '../src/engine/serial.js'
import type { Instr } from '../src/ir/types.js'
import type { RulesDecl, StateObject } from '../src/state/declaration.js'
import { layoutRules, layoutState } from '../src/state/layout.js'
import { buildRules } from '../src/state/rules.js'
import { factsOf } from '../src/transform/expand/facts.js'
import { finish, optimise } from '../src/transform/optimise.js'
import { DESCRIPTOR_BYTES } from '../src/traffic/trace.js'
import { workloads } from './workload.js'
import type { Packets } from './workload.js'

/** Packets looked at, from the first. */
const sample = 20_000
const seed = 1n

/** Instructions executed per packet of `programs/NAME.ts`, compiled without some passes. */
export function executedPerPacket(name: string, packets: Packets, without: readonly string[]): number {
  const file = fileURLToPath(new URL(`../../programs/${name}.ts`, import.meta.url))
  const { program } = compileSource(file, readFileSync(file, 'utf8'))
  if (!program) throw new Error(`${name} does not compile`)
  const facts = factsOf(program.objects)
  for (const f of program.functions) {
    optimise(f, { facts, without })
    finish(f, { facts, without })
  }
  const isRules = (o: StateObject): o is RulesDecl => o.kind === 'rules'
  const state = layoutState(program.objects.filter(o => !isRules(o)))
  const rules = layoutRules(program.objects.filter(isRules))
  if (!state.ok || !rules.ok) throw new Error(`${name} has no layout`)
  const filled = buildRules(rules.layout, workloads[name].rules ?? {}, seed)
  if (!filled.ok) throw new Error(filled.message)
  let executed = 0
  const serial = new Serial(program, {
    stateLayout: state.layout,
    rulesLayout: rules.layout,
    settings: new Map(Object.entries(workloads[name].settings ?? {})),
    rules: filled.bytes,
    seed,
    tracer: { instr: (i: Instr) => void (executed += i.op === 'const' || i.op === 'phi' ? 0 : 1) },
  })
  const n = Math.min(sample, packets.count)
  const view = new DataView(packets.descriptors.buffer, packets.descriptors.byteOffset)
  for (let k = 0; k < n; k++) {
    const at = k * DESCRIPTOR_BYTES
    const start = view.getUint32(at, true)
    serial.process({
      bytes: packets.data.slice(start, start + view.getUint32(at + 4, true)),
      originalLength: view.getUint32(at + 8, true),
      device: view.getUint32(at + 12, true),
      timestamp: view.getBigUint64(at + 16, true),
      sequence: BigInt(k + 1),
    })
  }
  return executed / n
}
