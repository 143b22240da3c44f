/** Figure 10: what the history's bytes cost on a wire, and what recovery from lost frames costs. */

import { fixedBytes } from '../../backend/wasm/loops/value.js'
import { paperParameters, predicted } from '../../measure/model.js'
import { timing } from '../../measure/pieces.js'
import { makeRecord } from '../../measure/record.js'
import type { BenchmarkRecord } from '../../measure/record.js'
import { projections } from '../../measure/repetitions.js'
import { replicatedByValue } from '../../strategy/replicated-by-value.js'
import { replicatedWithRecovery } from '../../strategy/replicated-with-recovery.js'
import { sharded } from '../../strategy/sharded.js'
import { wireBits } from '../../traffic/wire-rate.js'
import type { Chart, Series } from '../chart.js'
import type { Figure } from '../figure.js'
import { pointOf, seriesOf } from '../series.js'
import type { Workbench } from '../workbench.js'
import { notes } from './scaling.js'

const link = 100e9
/** The packet, the outer Ethernet header of a sequencer that is not on the NIC, and the paper's item. */
const packet = 60
const outer = 14
const paperItem = 18

/** Mpps of 64-byte packets with the history of k workers in front, on the link. */
function wireLimit(workers: number, item: number): number {
  const slots = workers - 1
  const history = workers === 1 ? 0 : outer + fixedBytes + Math.ceil(slots / 8) + slots * item
  return link / wireBits(packet + history).layer1 / 1e6
}

export async function figure10(bench: Workbench): Promise<Figure> {
  const study = await bench.study('token-bucket', 'university')
  const program = await bench.program('token-bucket')
  const range = Array.from({ length: 14 }, (_, i) => i + 1)
  const paper = paperParameters['token-bucket']
  const crossing = range.find(k => predicted(paper, k) > wireLimit(k, paperItem))
  const wire: Chart = {
    title: 'a: 64-byte packets on a 100 Gbit/s link',
    x: { label: 'cores', ticks: [1, 4, 7, 11, 14], least: 0 },
    y: { label: 'million packets a second', most: 160 },
    series: [
      {
        label: 'link, 17-byte items',
        colour: 'shared',
        kind: 'model',
        points: range.map(k => ({ x: k, y: wireLimit(k, program.metadataBytes) })),
      },
      {
        label: 'model, paper’s t, c2',
        colour: 'model',
        kind: 'model',
        points: range.map(k => ({ x: k, y: predicted(paper, k) })),
      },
      seriesOf(study, 'replicated', 'projected', 'hardware', 'SCR here'),
    ],
  }
  const recovery = await recoveryChart(bench)
  return {
    id: 'figure-10',
    title: 'Figure 10: limits of replication: bytes on the wire, and recovery from loss',
    caption:
      'a: token bucket, history in front of every packet on its way to the machine. No link was measured: its limit is arithmetic. b: port knocking with recovery from frames lost at random between sequencer and workers.',
    charts: [wire, recovery.chart],
    claims: [
      {
        paper:
          'With history added before the NIC, the link and not the CPU limits the token bucket beyond 11 cores (section 4.2).',
        holds: crossing !== undefined && crossing >= 9 ? 'in part' : 'no',
        here:
          crossing === undefined
            ? `with the paper’s t and c2 the model stays below the link up to 14 cores (${predicted(paper, 14).toFixed(0)} of ${wireLimit(14, paperItem).toFixed(0)} Mpps); its NIC must have had less to give than 100 Gbit/s. In memory the projection here is above the link from the first core on, because no NIC is in it.`
            : `with the paper’s t and c2 the model crosses the link’s limit at ${crossing} cores.`,
      },
      recovery.claim,
    ],
    notes: [notes(bench)],
    records: [...study.records.filter(r => r.parameters.strategy === 'replicated'), ...recovery.records],
  }
}

const rates = [0, 0.0001, 0.001, 0.01]

async function recoveryChart(bench: Workbench) {
  const { environment, clock, packets, workers, repetitions } = bench.options
  const counts = workers.filter(n => n >= 2)
  const plain = await bench.program('port-knocking')
  const recovering = await bench.program('port-knocking', true)
  const trace = bench.trace('university')
  const records: BenchmarkRecord[] = []
  const lines = new Map<string, BenchmarkRecord[]>()
  const labels = ['SCR, no recovery', 'RSS', ...rates.map(rate => `recovery, ${100 * rate} % lost`)]
  bench.options.tell(`port-knocking with recovery, ${counts.join(', ')} workers`)
  const trials = counts.flatMap(workers => [
    {
      kind: 'project' as const,
      subject: plain,
      ways: [replicatedByValue, sharded].map(strategy => ({ strategy, workers })),
    },
    {
      kind: 'project' as const,
      subject: recovering,
      ways: rates.map(lossRate => ({ strategy: replicatedWithRecovery, workers, lossRate })),
    },
  ])
  const all = await repetitions.trials(trace, trials)
  for (const [k, n] of counts.entries()) {
    const both = [2 * k, 2 * k + 1].flatMap(t => projections(trials[t].ways, all[t]))
    for (const [i, found] of both.entries()) {
      const record = makeRecord({
        name: 'recovery',
        unit: 'Mpps',
        better: 'higher',
        parameters: { series: labels[i], workers: n, packets, ...timing(clock) },
        environment,
        samples: found.hardware,
        disturbed: found.disturbed,
      })
      records.push(record)
      lines.set(labels[i], [...(lines.get(labels[i]) ?? []), record])
    }
  }
  const colours = ['replicated', 'sharded', 'hybrid', 'rebalanced', 'shared', 'single']
  const series: Series[] = [...lines].map(([label, list], i) => ({
    label,
    colour: colours[i],
    kind: 'projected',
    points: list.map((r, k) => pointOf(r, counts[k])),
  }))
  const last = (label: string): number => lines.get(label)!.at(-1)!.summary.median
  const [base, none, one] = ['SCR, no recovery', 'recovery, 0 % lost', 'recovery, 1 % lost'].map(last)
  const chart: Chart = {
    title: 'b: port knocking, university',
    x: { label: 'cores', ticks: counts, least: 0 },
    y: { label: 'million packets a second' },
    series,
  }
  return {
    chart,
    records,
    claim: {
      paper:
        'Recovery costs throughput by its logging alone, more with more loss, and still beats the alternatives (section 4.2).',
      holds:
        none < base && one <= none * 1.03
          ? one > last('RSS')
            ? ('yes' as const)
            : ('in part' as const)
          : ('no' as const),
      here: `on ${counts.at(-1)} cores ${base.toFixed(1)} Mpps without recovery, ${none.toFixed(1)} with it and no loss, ${one.toFixed(1)} at 1 % loss; sharding ${last('RSS').toFixed(1)}.`,
    },
  }
}
