// Steering in bytecode: which worker a packet's shard belongs to, and into the queue of that worker's CPU.
//
//   steer: Toeplitz hash of the fields that the program may be sharded by → bucket → worker → CPU map
//
// The hash is the function that user space compiles for strategy sharded (strategy/steering.ts), so that both agree on
// every packet. Nothing is written: any number of CPUs and receive queues may run it at the same time, which is what
// sharding has over a sequencer. A shard is the program as it stands, at the end of a queue: it cannot transmit, but
// sends out of the device that a packet came in by. Read program.ts and frame.ts first.

import type { Func } from '../../ir/types.js'
import { indirectionEntries, steeringLayout } from '../../strategy/toeplitz.js'
import { alu64, callLocal, exit, jgt, label, ldMapValue, ldx, mov64 } from './asm.js'
import { r0, r1, r2, r4, r6, r9 } from './asm.js'
import type { Code } from './asm.js'
import { encode } from './encode.js'
import { verdictNames } from './entry.js'
import { verdict } from './frame.js'
import type { MapDeclaration } from './maps.js'
import { compileFunctions, finishFunctions, isRefusal } from './program.js'
import type { BpfCode, CompiledFunction, StackRefusal } from './program.js'
import { select } from './select.js'
import { intoQueue } from './queues.js'
import type { Target } from './target.js'

/** The map of Toeplitz tables, buckets and seats. */
export const steeringMap = '.steering'
/** Shards of one run. */
export const mostShards = 64
/** Behind what user space has: of each worker u32 CPU, u32 which of the CPU maps. */
export const seatsAt = steeringLayout.heavy
const seatBytes = 8
export const steeringBytes = seatsAt + mostShards * seatBytes

export const steeringDeclaration: MapDeclaration = {
  name: steeringMap,
  valueSize: steeringBytes,
  valueType: btf => btf.array(btf.unsigned(4), steeringBytes / 4),
}

/** Where `steer` finds its tables. */
export const steeringPlace = { map: steeringMap, offset: 0, size: steeringLayout.heavy } as const

const drop = verdictNames.indexOf('drop')
/** Bytes of the entries' stack frames, as the kernel rounds. */
export const entryFrame = 32

export const handWritten = (name: string, code: Code): CompiledFunction => ({
  name,
  code,
  stack: 0,
  largest: 0xffffffffn,
})

export const assembled = (functions: readonly CompiledFunction[]): BpfCode => {
  const code = functions.flatMap(f => f.code)
  return { functions, code, encoded: encode(code) }
}

/** The program on interfaces. `layers`: CPU maps that there are. */
export function compileSteering(
  steer: Func,
  target: Target,
  { workers, layers }: { readonly workers: number; readonly layers: number },
): BpfCode | StackRefusal {
  const made = finishFunctions([select(steer, target, true)], [steer.name], entryFrame)
  if (isRefusal(made)) return made
  return assembled([handWritten('entry', steeringEntry(steer.name, workers, layers)), ...made.functions])
}

function steeringEntry(steer: string, workers: number, layers: number): Code {
  const never = label('entry.never')
  return [
    label('entry'),
    callLocal(label(steer)),
    alu64.and.imm(r0, indirectionEntries - 1),
    alu64.lsh.imm(r0, 2),
    ldMapValue(r9, steeringMap, steeringLayout.indirection),
    alu64.add.reg(r9, r0),
    ldx.w(r1, r9, 0),
    jgt.imm(r1, workers - 1, never),
    alu64.lsh.imm(r1, Math.log2(seatBytes)),
    ldMapValue(r9, steeringMap, seatsAt),
    alu64.add.reg(r9, r1),
    ldx.w(r2, r9, 0),
    ldx.w(r4, r9, 4),
    ...intoQueue(layers),
    never,
    mov64.imm(r0, drop),
    exit(),
  ]
}

/** A shard: the program behind a queue. It counts verdicts for one CPU. */
export function compileShard(functions: readonly Func[], target: Target): BpfCode | StackRefusal {
  const made = compileFunctions(functions, target, entryFrame)
  if (isRefusal(made)) return made
  const entry: Code = [label('entry'), mov64.reg(r6, r1), callLocal(label('main')), ...verdict(false)]
  return assembled([handWritten('entry', entry), ...made.functions])
}
