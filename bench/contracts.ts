/**
 * Every contract of every strategy, for every program, on real captures and on synthetic traces:
 * `node dist/bench/contracts.js [--packets n] [--cores 1,2,3,7,14,16] [PROGRAM…]`. Exits 1 if a contract is broken.
 *
 * The captures are the demo's and, where the development data is there, the three largest real ones; the traces are
 * a uniform, a heavy-tailed and a single-flow one. All of it takes some minutes; npm test runs a part.
 */

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { openCapture } from '../src/device/capture.js'
import { capturesFolder } from '../src/device/development.js'
import { PacketStore, loadPackets } from '../src/engine/packets.js'
import { verify } from '../src/engine/verify.js'
import { allStrategies } from '../src/strategy/strategies.js'
import { makeTrace } from '../src/traffic/trace.js'
import type { TraceSpecification } from '../src/traffic/specification.js'
import { bundledProgram, programNames } from '../test/programs.js'

const root = resolve(import.meta.dirname, '../..')
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packets: { type: 'string', default: '20000' },
    cores: { type: 'string', default: '1,2,3,7,14,16' },
  },
})
const packets = Number(values.packets)
const cores = values.cores.split(',').map(Number)
/** A synthetic trace held in memory. */
function synthetic(name: string, specification: TraceSpecification): PacketStore {
  const store = new PacketStore(name)
  const bytes = new Uint8Array(packets * 256)
  const descriptors = new Uint8Array(packets * 32)
  const count = makeTrace(specification).writeTo(bytes, descriptors, packets)
  const view = new DataView(descriptors.buffer)
  for (let i = 0; i < count; i++) {
    const at = view.getUint32(32 * i, true)
    const length = view.getUint32(32 * i + 4, true)
    const original = view.getUint32(32 * i + 8, true)
    store.add(bytes.slice(at, at + length), original, view.getBigUint64(32 * i + 16, true), 0)
  }
  return store
}

const captures = [
  join(root, 'programs/demo/knocking.pcap'),
  ...['mix-a', 'denial6-6', 'echo-connections'].map(n => join(capturesFolder, `big/${n}.pcap`)),
].filter(path => existsSync(path))
const common = { packets, seed: 1, frameLimit: 192 }
const stores = [
  ...captures.map(path =>
    loadPackets((memory, workspace) => openCapture(path, { memory, workspace }), packets),
  ),
  synthetic('uniform trace', { ...common, law: 'uniform', flows: Math.ceil(packets / 20) }),
  synthetic('heavy-tailed trace', {
    ...common,
    law: 'university-1',
    flows: Math.ceil(packets / 20),
    udp: 0.3,
  }),
  synthetic('single-flow trace', { ...common, law: 'single', flows: 1 }),
]
console.log(`${stores.length} inputs of up to ${packets} packets, workers ${cores.join(', ')}`)

let broken = 0
let proved = 0
for (const name of positionals.length ? positionals : programNames) {
  const program = bundledProgram(name)
  const strategies = allStrategies.filter(s => !s.steered || program.artifact.steering)
  const options = { strategies, cores, ...(program.rules && { rules: program.rules }) }
  for (const store of stores) {
    const { cases } = await verify(program, store, options)
    const wrong = cases.filter(c => c.divergent > 0 || c.skipped !== undefined)
    broken += wrong.length
    proved += cases.length - wrong.length
    const input = store.name.split('/').pop() ?? store.name
    const outcome = wrong.length === 0 ? `${cases.length} cases exact` : JSON.stringify(wrong[0])
    console.log(
      `${name.padEnd(20)} ${input.padEnd(24)} ${String(store.count).padStart(7)} packets  ${outcome}`,
    )
  }
}
console.log(`${proved} cases proved, ${broken} broken`)
process.exitCode = broken === 0 ? 0 : 1
