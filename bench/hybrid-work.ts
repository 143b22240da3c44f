/**
 * Hybrid beside its rivals by the work of the busiest worker, the same on every machine and under any load:
 *
 *     node dist/bench/hybrid-work.js [--packets n] [--workers 2,4,7,14] [--program NAME] [--trace NAME]
 *
 * A packet that a worker processes is 1, an item that it replays is what the compiler takes it to cost
 * (src/analysis/cost.ts: instructions of `advance` over those of the program). Without heavy keys hybrid's workers run
 * sharding's own loop, so equal counts are equal instructions. Sequencer and hand-overs are not in it.
 */

import { parseArgs } from 'node:util'
import { storeSource } from '../src/engine/packets.js'
import { plan } from '../src/engine/plan.js'
import { start } from '../src/engine/run.js'
import { formatTable } from '../src/measure/table.js'
import { standardTrace, traceStore } from '../src/measure/traces.js'
import type { TraceName } from '../src/measure/traces.js'
import { hybrid } from '../src/strategy/hybrid.js'
import { rebalanced } from '../src/strategy/rebalanced.js'
import { replicated } from '../src/strategy/replicated.js'
import { sharded } from '../src/strategy/sharded.js'
import type { Strategy } from '../src/strategy/strategy.js'
import { bundledProgram } from '../test/programs.js'

const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '131072' },
    workers: { type: 'string', default: '2,4,7,14' },
    program: { type: 'string', multiple: true },
    trace: { type: 'string', multiple: true },
  },
})
const packets = Number(values.packets)
const workers = values.workers.split(',').map(Number)
const paper = ['ddos-mitigator', 'heavy-hitter', 'port-knocking', 'token-bucket', 'connection-tracker']
const traces: readonly TraceName[] = ['uniform', 'university', 'backbone', 'single flow']

const rows = [['trace, program', ...workers.map(n => `${n} workers`)]]
let worst = Infinity
for (const trace of (values.trace ?? traces) as TraceName[]) {
  const store = traceStore(trace, { seed: 1, ...standardTrace(trace, packets) }, packets)
  for (const name of values.program ?? paper) {
    const { artifact, rules } = bundledProgram(name)
    const busiest = async (strategy: Strategy, cores: number) => {
      const planned = plan(artifact, { strategy, cores, virtual: true, wholeSlabs: true })
      if ('error' in planned) throw new Error(planned.error)
      const input = { open: storeSource(store), epoch: { packets: 16_384 } }
      const result = await start(artifact, planned, strategy, input, rules)
      const work = Math.max(...result.workers.map(w => w.packets + artifact.replay! * w.replayed))
      return { work, rebalancing: result.rebalancing }
    }
    const cells: string[] = []
    for (const n of workers) {
      const [alone, all, moved, mixed] = [
        await busiest(sharded, n),
        await busiest(replicated, n),
        await busiest(rebalanced, n),
        await busiest(hybrid, n),
      ]
      const ratio = Math.min(alone.work, all.work) / mixed.work
      worst = Math.min(worst, ratio)
      const { migrations, promotions } = mixed.rebalancing!
      cells.push(
        `${ratio.toFixed(2)} (rebalanced ${(Math.min(alone.work, all.work) / moved.work).toFixed(2)}; ${migrations}, ${promotions})`,
      )
    }
    rows.push([`${trace}, ${name}`, ...cells])
  }
}
console.log(
  'What the better of sharded and replicated gives its busiest worker to do over what hybrid does; in brackets',
)
console.log('the same of rebalanced, and how many buckets moved and keys became heavy\n')
console.log(formatTable(rows, `l${'r'.repeat(workers.length)}`))
console.log(`\nleast: ${worst.toFixed(3)}`)
