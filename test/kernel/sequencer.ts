// A sequencer as docs/history-format.md describes it, in plain TypeScript: it numbers packets, keeps the ring of recent
// items, and puts the history in front of each packet. Items are what the interpreter extracts.

import { isSlice } from '../../src/analysis/slice.js'
import type { Compiled } from '../../src/compile.js'
import type { ReceivedPacket } from '../../src/ir/access.js'
import { prepare } from '../../src/ir/interpret.js'
import type { Executable } from '../../src/ir/interpret.js'
import { StateBlock } from '../../src/state/block.js'
import { interpretedState } from '../../src/state/interpreted.js'
import { stateMemory } from '../../src/state/memory.js'
import { RulesBlock } from '../../src/state/rules.js'
import { historyEtherType, outerBytes, writeHistory } from '../../src/wire/history.js'
import type { History, HistoryFormat } from '../../src/wire/history.js'

export interface SequencerOptions {
  readonly format: HistoryFormat
  readonly outer: boolean
  readonly settings?: ReadonlyMap<string, bigint>
  readonly rules?: Uint8Array
  readonly seed: bigint
  /** Number of the last packet before the first; 0 if left out. */
  readonly last?: bigint
}

export class Sequencer {
  private readonly options: SequencerOptions
  private readonly extract: Executable
  /** The newest items, oldest first, as many as there are slots. */
  private items: History['items']
  /** Slot of the oldest. */
  private index = 0
  private next: bigint

  constructor({ program, slice, artifact }: Compiled, options: SequencerOptions) {
    if (!isSlice(slice)) throw new Error('the program cannot be replicated')
    this.options = options
    this.next = (options.last ?? 0n) + 1n
    const { settings, seed, rules, format } = options
    const block = stateMemory(new ArrayBuffer(artifact.stateLayout.size))
    const table = stateMemory(new ArrayBuffer(rules?.length ?? 0))
    if (rules) table.bytes.set(rules)
    this.extract = prepare({ ...program, functions: [slice.extract] }, 'extract', {
      state: interpretedState(
        new StateBlock(block, 0, artifact.stateLayout),
        rules && new RulesBlock(table, 0, artifact.rulesLayout),
      ),
      seed,
      ...(settings && { settings }),
      count: () => undefined,
    })
    const nothing = { effect: false, bytes: new Uint8Array(format.itemBytes) }
    this.items = Array.from({ length: format.slots }, () => nothing)
  }

  /** The frame for the next packet; its number is the packet's. */
  frame(packet: ReceivedPacket): Uint8Array {
    const { timestamp, device, originalLength } = this.options.format
    const frame = this.write(
      {
        ...(timestamp && { timestamp: BigInt.asUintN(48, packet.timestamp) }),
        ...(device && { device: packet.device }),
        ...(originalLength && { originalLength: packet.originalLength }),
      },
      packet.bytes,
    )
    this.take(packet)
    return frame
  }

  /** A packet that goes nowhere: what it does to the state travels with those after it. */
  take(packet: ReceivedPacket): void {
    const { slots, itemBytes } = this.options.format
    const bytes = new Uint8Array(itemBytes)
    const effect = this.extract({ packet: { ...packet, bytes: packet.bytes.slice() }, item: bytes }) === 1
    this.next++
    if (slots === 0) return
    this.items = [...this.items.slice(1), { effect, bytes }]
    this.index = (this.index + 1) % slots
  }

  /** A frame without a packet; padded, as a wire would. */
  flush(): Uint8Array {
    const { timestamp, device, originalLength } = this.options.format
    return this.write(
      {
        flush: true,
        ...(timestamp && { timestamp: 0n }),
        ...(device && { device: 0 }),
        ...(originalLength && { originalLength: 0 }),
      },
      new Uint8Array(46),
    )
  }

  private write(properties: Partial<History>, packet: Uint8Array): Uint8Array {
    const { format, outer } = this.options
    const sequence = Number(BigInt.asUintN(32, this.next))
    const content = { sequence, flush: false, ...properties, items: this.items }
    const header = writeHistory(content, format.itemBytes, this.index)
    const before = outer ? outerBytes : 0
    const frame = new Uint8Array(before + header.length + packet.length)
    if (outer) new DataView(frame.buffer).setUint16(12, historyEtherType)
    frame.set(header, before)
    frame.set(packet, before + header.length)
    return frame
  }
}
