/**
 * How fast traces are made: `node dist/bench/traffic.js [packets]`.
 * Into memory with whole frames, with frames cut to 192 bytes, with 64-byte frames; and as a capture file.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compare, formatComparison } from '../src/measure/compare.js'
import { writePcap } from '../src/traffic/pcapfile.js'
import type { TraceSpecification } from '../src/traffic/specification.js'
import { DESCRIPTOR_BYTES, makeTrace } from '../src/traffic/trace.js'

const packets = Number(process.argv[2] ?? 500_000)
const base: TraceSpecification = { law: 'university-1', flows: Math.ceil(packets / 100), packets }
const region = new Uint8Array(32 << 20)
const descriptors = new Uint8Array(DESCRIPTOR_BYTES * 65_536)
const folder = mkdtempSync(join(tmpdir(), 'hairpin-bench-'))

/** Million packets per second of a generator. */
function rate(generate: () => void): number {
  const begun = process.hrtime.bigint()
  generate()
  return (packets * 1000) / Number(process.hrtime.bigint() - begun)
}

function toMemory(specification: TraceSpecification): number {
  return rate(() => {
    const trace = makeTrace(specification)
    while (!trace.finished) trace.writeTo(region, descriptors)
  })
}

try {
  const comparison = await compare(
    [
      { name: 'memory, whole frames', run: () => toMemory(base) },
      { name: 'memory, 192 bytes', run: () => toMemory({ ...base, snap: 192 }) },
      { name: 'memory, 64-byte frames', run: () => toMemory({ ...base, frameLimit: 64 }) },
      { name: 'file, whole frames', run: () => rate(() => void writePcap(join(folder, 'trace.pcap'), base)) },
    ],
    { rounds: 7, unit: 'Mpps', better: 'higher', parameters: { law: 'university-1', packets } },
  )
  process.stdout.write(formatComparison(comparison))
} finally {
  rmSync(folder, { recursive: true })
}
