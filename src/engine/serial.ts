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
  /** Bytes of the longest rules block there will be, if it changes. */
  readonly rulesBytes?: number
  readonly seed: bigint
  readonly tracer?: Tracer
  /** Where the state lives, `stateLayout.size` bytes; for those who watch how it is touched. */
  readonly memory?: StateMemory
}

export class Serial {
  /** The state block, at offset 0. */
  readonly memory: StateMemory
  /** Modulo 2^64. */
  readonly counters = new Map<string, bigint>()
  /** False while packets only change the state, as in a replica that does not get them itself. */
  counting = true
  private readonly main: Executable
  private readonly rules: StateMemory | undefined
  private readonly settings: Map<string, bigint>

  constructor(program: Program<StateObject>, options: SerialOptions) {
    const { stateLayout, rulesLayout, seed } = options
    this.memory = options.memory ?? stateMemory(new ArrayBuffer(stateLayout.size))
    clearBlock(this.memory, 0, stateLayout, seed)
    this.rules =
      options.rules && inRoom(options.rules, Math.max(options.rulesBytes ?? 0, options.rules.length))
    this.settings = new Map(options.settings)
    const rules = this.rules && new RulesBlock(this.rules, 0, rulesLayout)
    const state = interpretedState(new StateBlock(this.memory, 0, stateLayout), rules)
    this.main = prepare(program, 'main', {
      state,
      seed,
      settings: this.settings,
      ...(options.tracer && { tracer: options.tracer }),
      count: (name, amount) => {
        if (this.counting)
          this.counters.set(name, BigInt.asUintN(64, (this.counters.get(name) ?? 0n) + amount))
      },
    })
  }

  /** Packets from now on see these rules and settings; of settings, those that are not given stay. */
  revise({ rules, settings }: Pick<SerialOptions, 'rules' | 'settings'>): void {
    if (rules) this.rules?.bytes.set(rules)
    for (const [name, value] of settings ?? []) this.settings.set(name, value)
  }

  /** The verdict (src/device/slab.ts has the numbers); the packet's bytes may be changed. */
  process(packet: ReceivedPacket): number {
    return Number(this.main({ packet }))
  }
}

/** A copy of the rules in a memory of their own, of so many bytes. */
function inRoom(rules: Uint8Array, bytes: number): StateMemory {
  const memory = stateMemory(new ArrayBuffer(bytes))
  memory.bytes.set(rules)
  return memory
}
