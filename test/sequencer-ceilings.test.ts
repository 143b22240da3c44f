// Instructions that the sequencer of a live run executes for a packet: of what it costs, the part that is the same on every
// machine and under any load. What the kernel's helpers take is not in it. A change that makes the way of a packet longer
// shows here; one that makes it shorter lowers the number.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { executedBySequencer } from '../bench/xdp/executed.js'
import type { LiveHistory } from '../src/engine/live/plan.js'
import { bundledProgram } from './programs.js'

/** A datagram from 10.0.0.1 to port 53, of which all these programs but port knocking and the tracker keep state. */
const datagram = ((): Uint8Array => {
  const bytes = new Uint8Array(60)
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17])
  bytes.set([10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0, 53, 0, 26], 26)
  return bytes
})()

interface Ceiling {
  /** Before 2 workers, and 7. */
  readonly value: readonly [number, number]
  /** However many workers there are. */
  readonly reference: number
}

const ceilings: Readonly<Record<string, Ceiling>> = {
  'ddos-mitigator': { value: [93, 96], reference: 86 },
  'dns-flood': { value: [159, 172], reference: 150 },
  'heavy-hitter': { value: [135, 150], reference: 118 },
  'token-bucket': { value: [146, 167], reference: 135 },
  'port-knocking': { value: [91, 96], reference: 82 },
  'connection-tracker': { value: [118, 153], reference: 103 },
}

for (const [name, ceiling] of Object.entries(ceilings))
  test(`${name}: instructions of its sequencer`, () => {
    const subject = bundledProgram(name, { ways: ['replicated'] })
    const below = (workers: number, history: LiveHistory, most: number): void => {
      const found = executedBySequencer(subject, datagram, workers, history)
      assert.ok(found <= most, `${workers} workers, history by ${history}: ${found} > ${most}`)
    }
    below(2, 'value', ceiling.value[0])
    below(7, 'value', ceiling.value[1])
    below(2, 'reference', ceiling.reference)
    below(14, 'reference', ceiling.reference)
  })
