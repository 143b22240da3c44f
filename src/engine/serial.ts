// The serial run: the reference interpreter over the program's IR and the reference state. The oracle of verify.
//
// One packet after the other, nothing compiled, nothing clever. Read ir/interpret.ts and state/interpreted.ts first.

import type { ReceivedPacket, Tracer } from '../ir/access.js'
import { prepare } from '../ir/interpret.js'
import type { Executable } from '../ir/interpret.js'
import type { Program } from '../ir/types.js'
import { StateBlock, clearBlock } from '../state/block.js'
import type { StateObject } from '../state/declaration.js'
import { interpretedState } from '../state/interpreted.js'
import type { RulesLayout, StateLayout } from '../state/layout.js'
import { stateMemory } from '../state/memory.js'
import type { StateMemory } from '../state/memory.js'
import { RulesBlock } from '../state/rules.js'

export interface SerialOptions {
  readonly stateLayout: StateLayout
  readonly rulesLayout: RulesLayout
  readonly settings?: ReadonlyMap<string, bigint>
  readonly rules?: Uint8Array
  readonly seed: bigint
  readonly tracer?: Tracer
}

export class Serial {
  /** The state block, at offset 0. */
  readonly memory: StateMemory
  /** Modulo 2^64. */
  readonly counters = new Map<string, bigint>()
  /** False while packets only change the state, as in a replica that does not get them itself. */
  counting = true
  private readonly main: Executable

  constructor(program: Program<StateObject>, options: SerialOptions) {
    const { stateLayout, rulesLayout, seed } = options
    this.memory = stateMemory(new ArrayBuffer(stateLayout.size))
    clearBlock(this.memory, 0, stateLayout, seed)
    const rules = options.rules && new RulesBlock(copyOf(options.rules), 0, rulesLayout)
    const state = interpretedState(new StateBlock(this.memory, 0, stateLayout), rules)
    this.main = prepare(program, 'main', {
      state,
      seed,
      ...(options.settings && { settings: options.settings }),
      ...(options.tracer && { tracer: options.tracer }),
      count: (name, amount) => {
        if (this.counting)
          this.counters.set(name, BigInt.asUintN(64, (this.counters.get(name) ?? 0n) + amount))
      },
    })
  }

  /** The verdict (src/device/slab.ts has the numbers); the packet's bytes may be changed. */
  process(packet: ReceivedPacket): number {
    return Number(this.main({ packet }))
  }
}

function copyOf(bytes: Uint8Array): StateMemory {
  const memory = stateMemory(new ArrayBuffer(bytes.length))
  memory.bytes.set(bytes)
  return memory
}
