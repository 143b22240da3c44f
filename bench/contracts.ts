/**
 * Every contract of every strategy, for every program, on real captures and on synthetic traces:
 * `node dist/bench/contracts.js [--packets n] [--cores 1,2,3,7,14,16] [--loss 0,0.01,0.1]
 * [PROGRAM…]`. Exits 1 if a contract is broken. With --loss, all strategies over a transport that loses such shares of frames.
 *
 * The captures are the demo's and, where the development data is there, the three largest real ones; the traces are
 * a uniform, a heavy-tailed and a single-flow one. All of it takes some minutes; npm test runs a part.
 */

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { assemble } from '../src/compile.js'
import { openCapture } from '../src/device/capture.js'
import { capturesFolder } from '../src/device/development.js'
import { loadPackets } from '../src/engine/packets.js'
import type { PacketStore } from '../src/engine/packets.js'
import { randomLoss } from '../src/engine/transport.js'
import { verify } from '../src/engine/verify.js'
import { eager } from '../src/strategy/balance.js'
import { allStrategies, lossyStrategies } from '../src/strategy/strategies.js'
import type { Strategy } from '../src/strategy/strategy.js'
import type { TraceSpecification } from '../src/traffic/specification.js'
import { bundledProgram, programNames } from '../test/programs.js'
import type { BundledProgram } from '../test/programs.js'
import { traceStore } from '../src/measure/traces.js'

const root = resolve(import.meta.dirname, '../..')
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packets: { type: 'string', default: '20000' },
    cores: { type: 'string', default: '1,2,3,7,14,16' },
    loss: { type: 'string' },
  },
})
const packets = Number(values.packets)
const cores = values.cores.split(',').map(Number)
const synthetic = (name: string, specification: TraceSpecification): PacketStore =>
  traceStore(name, specification, packets)

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

const rates = values.loss?.split(',').map(Number)

/** The strategies that suit a program; under loss, those that have a contract there. */
function suitable({ artifact }: BundledProgram): readonly Strategy[] {
  return (rates ? lossyStrategies : allStrategies).filter(
    s =>
      (!s.steered || artifact.steering) &&
      (!s.replicatesHeavy || artifact.hybrid) &&
      (!s.sharing || artifact.sharing?.forms.includes(s.sharing)),
  )
}

let broken = 0
let proved = 0
for (const name of positionals.length ? positionals : programNames) {
  const bundled = bundledProgram(name)
  const program = rates
    ? { ...bundled, ...assemble(bundled.program, { recovery: true, hybrid: true }) }
    : bundled
  const options = { strategies: suitable(bundled), cores, ...(bundled.rules && { rules: bundled.rules }) }
  for (const store of stores)
    for (const rate of rates ?? [undefined]) {
      const loss = rate === undefined ? {} : { loss: randomLoss(1, rate) }
      const { cases } = await verify(program, store, {
        ...options,
        ...loss,
        // Some epochs, and room for what is asked for at the end of one to come in before the next.
        epoch: { packets: Math.min(2_000, Math.ceil(packets / 5)), replay: 0, balance: eager },
        slabPackets: Math.min(rates ? 512 : 1_024, Math.ceil(packets / 16)),
      })
      const wrong = cases.filter(c => c.divergent > 0 || c.skipped !== undefined)
      broken += wrong.length
      proved += cases.length - wrong.length
      const input = `${store.name.split('/').pop() ?? store.name}${rate === undefined ? '' : `, ${100 * rate} % lost`}`
      const outcome = wrong.length === 0 ? `${cases.length} cases exact` : JSON.stringify(wrong[0])
      console.log(
        `${name.padEnd(20)} ${input.padEnd(34)} ${String(store.count).padStart(7)} packets  ${outcome}`,
      )
    }
}
console.log(`${proved} cases proved, ${broken} broken`)
process.exitCode = broken === 0 ? 0 : 1
