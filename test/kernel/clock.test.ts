/** What tells packets the time in the kernel: its clocks, or their metadata. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../src/compile.js'
import { load } from '../../src/engine/kernel/load.js'
import type { LoadedProgram } from '../../src/engine/kernel/load.js'
import type { Clock } from '../../src/backend/ebpf/target.js'
import { testRun } from '../../src/sys/test-run.js'
import { withoutPrograms } from './machine.js'

const skip = withoutPrograms
/** Keeps the time of the last packet. */
const source = `import { cell, type Packet, u64, Verdict } from 'hairpin'
const last = cell(u64)
export default function keep(packet: Packet): Verdict {
  last.set(packet.timestamp)
  return Verdict.Pass
}
`

const key = new Uint8Array(4)
const word = (bytes: Uint8Array): bigint => new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)

/** Runs a test with the program under a clock, and what it kept. */
function under(clock: Clock, body: (program: LoadedProgram, kept: () => bigint) => void): void {
  const { compiled, diagnostics } = compile('keep.ts', source)
  assert.ok(compiled, diagnostics.map(d => d.message).join())
  const loaded = load(compiled, { settings: new Map(), seed: 1n, clock })
  try {
    body(loaded, () => word(loaded.maps.get('last')!.lookup(key)!))
  } finally {
    loaded.close()
  }
}

const frame = new Uint8Array(60)
const sinceStart = ({ description }: LoadedProgram): bigint => process.hrtime.bigint() - description.start

for (const [clock, behind] of [
  ['exact', 0n],
  ['coarse', 10_000_000n],
] as const)
  test(`clock ${clock}: between two readings, at most ${behind / 1_000_000n} ms behind`, { skip }, () => {
    under(clock, (loaded, kept) => {
      // A clock of ticks stands still until the first one after the start; where the machine stalls, one may come late.
      const wait = sinceStart(loaded) + 30_000_000n
      while (sinceStart(loaded) < wait);
      const late: string[] = []
      for (let attempt = 0; attempt < 5; attempt++) {
        const before = sinceStart(loaded)
        testRun(loaded.program, { data: frame })
        const [time, after] = [kept(), sinceStart(loaded)]
        assert.ok(time <= after, `${time} is later than ${after}`)
        if (time >= before - behind) return
        late.push(`${time} is before ${before}`)
      }
      assert.fail(late.join(', '))
    })
  })

test(
  'clock metadata: the stamp in front of the packet; before the start is 0; none, the kernel’s clock',
  { skip },
  () => {
    under('metadata', (loaded, kept) => {
      const stamped = (time: bigint): bigint => {
        const data = new Uint8Array(8 + frame.length)
        new DataView(data.buffer).setBigUint64(0, time, true)
        testRun(loaded.program, { data, metadata: 8 })
        return kept()
      }
      const { start } = loaded.description
      assert.equal(stamped(start + 123_456_789n), 123_456_789n)
      assert.equal(stamped(start - 1n), 0n)
      const before = sinceStart(loaded)
      testRun(loaded.program, { data: frame })
      assert.ok(kept() >= before && kept() <= sinceStart(loaded))
    })
  },
)
