/** Figures 8 and 9: how the work is spread over cores, and how scaling falls as the program takes longer. */

import { timing } from '../../measure/pieces.js'
import { makeRecord } from '../../measure/record.js'
import type { BenchmarkRecord } from '../../measure/record.js'
import { projections } from '../../measure/repetitions.js'
import { projectable } from '../../measure/study.js'
import { replicatedByValue } from '../../strategy/replicated-by-value.js'
import type { Series } from '../chart.js'
import { percent } from '../figure.js'
import type { Figure } from '../figure.js'
import { pointOf, shortNames, times } from '../series.js'
import type { Workbench } from '../workbench.js'
import { notes } from './scaling.js'

const counts = [2, 4, 7]

export async function figure8(bench: Workbench): Promise<Figure> {
  const { environment, clock, packets, repetitions } = bench.options
  const program = await bench.program('token-bucket')
  const strategies = projectable(program, ['replicated', 'sharded', 'rebalanced'])
  const busy = new Map<string, Series['points'][number][]>()
  const records = new Map<string, BenchmarkRecord[]>()
  const ways = counts.map(workers => strategies.map(strategy => ({ strategy, workers })))
  bench.options.tell(`token-bucket, ${counts.join(', ')} workers`)
  const all = await repetitions.trials(
    bench.trace('university'),
    ways.map(list => ({ kind: 'project', subject: program, ways: list })),
  )
  for (const [i, workers] of counts.entries()) {
    for (const { way, shares, perPacket, disturbed } of projections(ways[i], all[i])) {
      const { name } = way.strategy
      const mean = shares.reduce((a, b) => a + b, 0) / shares.length
      push(busy, name, { x: workers, y: mean, low: Math.min(...shares), high: 1 })
      push(
        records,
        name,
        makeRecord({
          name: 'latency',
          unit: 'ns',
          better: 'lower',
          parameters: { program: program.name, strategy: name, workers, packets, ...timing(clock) },
          environment,
          samples: perPacket,
          disturbed,
        }),
      )
    }
  }
  const series = (of: (name: string) => Series['points']): Series[] =>
    strategies.map(({ name }) => ({
      label: shortNames[name],
      colour: name,
      kind: 'projected',
      points: of(name),
    }))
  const at = (name: string): { mean: number; least: number } => {
    const last = busy.get(name)!.at(-1)!
    return { mean: last.y, least: last.low! }
  }
  const [scr, rss] = [at('replicated'), at('sharded')]
  const latency = (name: string): number => records.get(name)!.at(-1)!.summary.median
  return {
    id: 'figure-8',
    title: 'Figure 8: how busy the cores are, and how long a packet takes (token bucket)',
    caption:
      'The paper reads the L2 hit ratio and instructions per cycle from the processor’s counters, which this report does without. In their place: each worker’s busy time over the busiest worker’s (mean, with the idlest as the bar’s lower end), and the time of a packet, history included.',
    charts: [
      {
        title: 'busy time over the busiest worker’s',
        x: { label: 'cores', ticks: counts, least: 0 },
        y: { label: 'share', most: 1.05 },
        series: series(name => busy.get(name)!),
      },
      {
        title: 'time of a packet',
        x: { label: 'cores', ticks: counts, least: 0 },
        y: { label: 'ns' },
        series: series(name => records.get(name)!.map((r, i) => pointOf(r, counts[i]))),
      },
    ],
    claims: [
      {
        paper: 'Sharding leaves cores idle while others are busy; replication keeps all busy (section 4.2).',
        holds: scr.least > 0.75 && rss.least < 0.6 ? 'yes' : scr.mean > rss.mean ? 'in part' : 'no',
        here: `on ${counts.at(-1)} cores the idlest is busy ${percent(scr.least)} of the busiest one’s time with replication, ${percent(rss.least)} with sharding.`,
      },
      {
        paper: 'A packet takes longer with replication, for its history (section 4.2).',
        holds: latency('replicated') > latency('sharded') ? 'yes' : 'no',
        here: `${latency('replicated').toFixed(0)} ns against ${latency('sharded').toFixed(0)} on ${counts.at(-1)} cores.`,
      },
      {
        paper: 'Locks have the lowest L2 hit ratio (section 4.2).',
        holds: 'not measured',
        here: 'processor counters are not read.',
      },
    ],
    notes: [notes(bench)],
    records: [...records.values()].flat(),
  }
}

const rounds = [0, 8, 32, 128, 512]
const cores = [1, 2, 4, 7]
/** Dispatch in the paper's driver, ns: table 4. */
const paperDispatch = 104

export async function figure9(bench: Workbench): Promise<Figure> {
  const { environment, clock, packets, repetitions } = bench.options
  const program = await bench.program('busy-forwarder')
  const costs: { readonly iterations: number; readonly record: BenchmarkRecord; readonly workers: number }[] =
    []
  bench.options.tell(`busy-forwarder, ${rounds.join(', ')} rounds`)
  const ways = rounds.map(iterations => {
    const settings = new Map([['iterations', BigInt(iterations)]])
    return cores.map(workers => ({ strategy: replicatedByValue, workers, settings }))
  })
  const all = await repetitions.trials(
    bench.trace('uniform'),
    ways.map(list => ({ kind: 'project', subject: program, ways: list })),
  )
  for (const [i, iterations] of rounds.entries())
    for (const { way, hardware, disturbed } of projections(ways[i], all[i]))
      costs.push({
        iterations,
        workers: way.workers,
        record: makeRecord({
          name: 'busy forwarder',
          unit: 'Mpps',
          better: 'higher',
          parameters: { iterations, workers: way.workers, packets, ...timing(clock) },
          environment,
          samples: hardware,
          disturbed,
        }),
      })
  const of = (iterations: number, workers: number): BenchmarkRecord =>
    costs.find(c => c.iterations === iterations && c.workers === workers)!.record
  const latency = (iterations: number): number => 1e3 / of(iterations, 1).summary.median
  const label = (workers: number): string => (workers === 1 ? '1 core' : `${workers} cores`)
  const line = (kind: Series['kind'], y: (iterations: number, workers: number) => number): Series[] =>
    cores.map(workers => ({
      label: label(workers),
      kind,
      points: rounds.map(n => ({ x: latency(n), y: y(n, workers) })),
    }))
  const x = {
    label: 'ns that a packet’s program takes on one core',
    scale: 'log' as const,
    ticks: [10, 30, 100, 300, 1000],
    least: 1,
    most: Math.max(1000, latency(rounds[rounds.length - 1])),
  }
  const most = cores.at(-1)!
  const gain = (n: number): number => of(n, most).summary.median / of(n, 1).summary.median
  const predicted = (n: number, workers: number): number =>
    (workers * (paperDispatch + latency(n))) / (paperDispatch + workers * latency(n))
  const gains = rounds.map(n => predicted(n, most))
  const falls = gains.every((g, i) => i === 0 || g < gains[i - 1])
  return {
    id: 'figure-9',
    title: 'Figure 9: scaling as the program’s compute time grows',
    caption:
      'The busy forwarder runs more and more rounds of a hash. Projected: as it is in memory, where receiving a packet costs next to nothing. Model: the same program times behind the paper’s dispatch of 104 ns.',
    charts: [
      {
        title: 'packets a second',
        x,
        y: { label: 'million packets a second', scale: 'log', most: 1000 },
        named: 'first',
        series: cores.map(workers => ({
          label: label(workers),
          kind: 'projected',
          points: rounds.map(n => pointOf(of(n, workers), latency(n))),
        })),
      },
      {
        title: 'over one core, in memory',
        x,
        y: { label: 'times one core' },
        named: 'first',
        series: line('projected', (n, workers) => of(n, workers).summary.median / of(n, 1).summary.median),
      },
      {
        title: 'over one core, behind 104 ns of dispatch',
        x,
        y: { label: 'times one core' },
        named: 'first',
        series: line('model', predicted),
      },
    ],
    claims: [
      {
        paper:
          'The more dispatch dominates, the better replication scales; with long compute times the gain is gone (figure 9).',
        holds: falls && gains[0] > 2 * gains[gains.length - 1] ? 'in part' : 'no',
        here: `behind the paper’s dispatch ${most} cores give ${times(gains[0])} with the shortest program and ${times(gains[gains.length - 1])} with the longest, by the model; in memory, with hardly any dispatch, ${times(gain(rounds[0]))} and ${times(gain(rounds[rounds.length - 1]))} are projected: there is nothing to hide the replay behind.`,
      },
    ],
    notes: [
      notes(bench),
      'The digest is state here, so every replica repeats the rounds of every packet; the paper’s program has no state and replays as much.',
    ],
    records: costs.map(c => c.record),
  }
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  map.set(key, [...(map.get(key) ?? []), value])
}
