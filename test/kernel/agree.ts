// Interpreter and kernel side by side on the same packets: verdicts, bytes, state and counters are equal.

import assert from 'node:assert/strict'
import type { Compiled } from '../../src/compile.js'
import type { PacketStore } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import { describeDifference, diffStates } from '../../src/state/diff.js'
import type { RuleRows } from '../../src/state/rules.js'
import { stateMemory } from '../../src/state/memory.js'
import { programInfo } from '../../src/sys/info.js'
import { KernelMachine } from './machine.js'
import type { MachineOptions } from './machine.js'

/** The kernel takes no shorter packet in a test run. */
const shortest = 14

/** A program with what it is run with. */
export type Subject = Compiled & {
  readonly rules?: Uint8Array
  /** The same rules for tables that are maps of the kernel's own. */
  readonly rows?: RuleRows
  readonly settings?: ReadonlyMap<string, bigint>
}

/** What a loaded program takes. */
export interface Sizes {
  /** Instructions that the verifier walked. */
  readonly verified: number
  /** Bytes of machine code. */
  readonly jited: number
}

/** Runs the packets through interpreter and kernel side by side. */
export function agree(
  subject: Subject,
  store: PacketStore,
  seed: bigint,
  more: Pick<MachineOptions, 'locked' | 'section' | 'cpu' | 'loops' | 'forgets'> = {},
): Sizes {
  const { artifact, settings, rules, rows } = subject
  const options = { seed, ...(settings && { settings }), ...(rules && { rules }) }
  const { stateLayout, rulesLayout } = artifact
  const serial = new Serial(subject.program, { stateLayout, rulesLayout, ...options })
  const machine = new KernelMachine(subject, { ...options, ...more, ...(rows && { rows }) })
  try {
    for (let k = 0; k < store.count; k++) {
      const packet = store.packet(k)
      if (packet.bytes.length < shortest) continue
      const found = machine.process(store.packet(k))
      const verdict = serial.process(packet)
      assert.equal(found.verdict, verdict, `verdict of packet ${k}`)
      assert.deepEqual(Buffer.from(found.bytes), Buffer.from(packet.bytes), `bytes of packet ${k}`)
    }
    const state = machine.state()
    if (Buffer.compare(state, serial.memory.bytes) !== 0) {
      const copy = stateMemory(new ArrayBuffer(state.length))
      copy.bytes.set(state)
      const { differences } = diffStates(
        { memory: serial.memory, base: 0 },
        { memory: copy, base: 0 },
        stateLayout,
      )
      assert.fail(differences.map(d => describeDifference(d)).join('\n') || 'bytes of the state differ')
    }
    const counted = [...machine.counters()].filter(([, n]) => n !== 0n)
    assert.deepEqual(new Map(counted), new Map([...serial.counters].filter(([, n]) => n !== 0n)))
    return { verified: machine.verified, jited: programInfo(machine.program).jitedBytes }
  } finally {
    machine.close()
  }
}
