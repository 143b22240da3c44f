/**
 * Shared state in each form beside sharding and replication, on one hot flow and on 16,384 flows, with one worker and
 * with two: `node dist/bench/shared.js [--packets n] [--rounds n] [PROGRAM…]`.
 *
 * Measured with as many threads as workers, never projected: contention cannot be. What a sequencer does (items, lists)
 * is not in it: sharding and replication need one that keeps up, sharing does not. All ways run in turn, round by round.
 */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { compile } from '../src/compile.js'
import { formatTable } from '../src/measure/table.js'
import { startCrew } from './shared-crew.js'
import { hotFlow, workloads } from './workload.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { packets: { type: 'string', default: '400000' }, rounds: { type: 'string', default: '21' } },
})
const count = Number(values.packets)
const names = positionals.length
  ? positionals
  : ['ddos-mitigator', 'heavy-hitter', 'port-knocking', 'token-bucket']

/** Millions of packets a second by the median round, and by the best: what others use of the machine only slows. */
const rates = (times: readonly number[], packets: number): [median: number, best: number] => {
  const sorted = times.toSorted((a, b) => a - b)
  return [(1000 * packets) / sorted[Math.floor(sorted.length / 2)], (1000 * packets) / sorted[0]]
}

const rows: string[][] = []
for (const name of names) {
  const file = fileURLToPath(new URL(`../../programs/${name}.ts`, import.meta.url))
  const { artifact } = compile(file, readFileSync(file, 'utf8')).compiled!
  const workload = workloads[name]
  const settings = artifact.settings.map(s => workload.settings?.[s.name] ?? s.default)
  const ways = [
    ...artifact.sharing.forms.map(form => `shared:${form}`),
    ...(artifact.steering ? ['sharded'] : []),
    ...(artifact.item ? ['replicated'] : []),
  ]
  for (const [traffic, packets] of [
    ['one flow', hotFlow(count)],
    ['16,384 flows', workload.packets(count)],
  ] as const) {
    const cases = []
    for (const way of ways)
      for (const workers of [1, 2])
        cases.push({
          way,
          workers,
          times: [] as number[],
          crew: await startCrew(artifact, settings, packets, way, workers),
        })
    for (let round = -2; round < Number(values.rounds); round++)
      for (const c of cases) {
        const took = c.crew.round()
        if (round >= 0) c.times.push(took)
      }
    for (const c of cases) await c.crew.close()
    for (const way of ways) {
      const [one, two] = cases.filter(c => c.way === way).map(c => rates(c.times, packets.count))
      const cells = [one[1], two[1], one[0], two[0]].map(x => x.toFixed(1))
      rows.push([name, traffic, way, ...cells, `${(two[1] / one[1]).toFixed(2)}×`])
    }
  }
}
process.stdout.write(
  `${formatTable([['program', 'traffic', 'way', 'best Mpps, 1', '2', 'median, 1', '2 workers', 'gain'], ...rows], 'lllrrrrr')}\n` +
    `${count} packets, ${values.rounds} rounds; gain of the best; Node ${process.version}\n`,
)
