/** Figure 11 and tables 1 and 4: the programs, the model's parameters, and how well it predicts. */

import { availableParallelism } from 'node:os'
import { paperParameters, predicted } from '../../measure/model.js'
import { modelOf } from '../../measure/study.js'
import type { ModelFit, Study } from '../../measure/study.js'
import type { TraceName } from '../../measure/traces.js'
import type { Chart } from '../chart.js'
import { percent } from '../figure.js'
import type { Figure } from '../figure.js'
import { seriesOf } from '../series.js'
import type { Workbench } from '../workbench.js'
import { notes } from './scaling.js'

/** In the order of table 1, with the trace that figure 11 uses and the paper's bytes of metadata. */
const programs: readonly {
  readonly name: string
  readonly trace: TraceName
  readonly paperBytes: number
  readonly paperLines: number
}[] = [
  { name: 'ddos-mitigator', trace: 'university', paperBytes: 4, paperLines: 168 },
  { name: 'heavy-hitter', trace: 'university', paperBytes: 18, paperLines: 141 },
  { name: 'connection-tracker', trace: 'hyperscaler', paperBytes: 30, paperLines: 1029 },
  { name: 'token-bucket', trace: 'university', paperBytes: 18, paperLines: 169 },
  { name: 'port-knocking', trace: 'university', paperBytes: 8, paperLines: 123 },
]

interface Fitted {
  readonly name: string
  readonly study: Study
  readonly model: ModelFit
}

async function fits(bench: Workbench): Promise<Fitted[]> {
  const all: Fitted[] = []
  for (const { name, trace } of programs) {
    const found = await bench.study(name, trace)
    const model = modelOf(found, await bench.dispatch(trace))
    if (model) all.push({ name, study: found, model })
  }
  return all
}

export async function figure11(bench: Workbench): Promise<Figure> {
  const all = await fits(bench)
  const most = Math.max(...bench.options.workers)
  const range = Array.from({ length: most }, (_, i) => i + 1)
  const charts = all.map(({ name, study, model }): Chart => ({
    title: `${name}, ${study.trace}`,
    x: { label: 'cores', ticks: bench.options.workers, least: 0 },
    y: { label: 'million packets a second' },
    series: [
      seriesOf(study, 'replicated', 'projected', 'hardware', 'projected'),
      {
        label: 'model',
        colour: 'model',
        kind: 'model',
        points: range.map(k => ({ x: k, y: predicted(model.parameters, k) })),
      },
    ],
  }))
  const errors = all.map(f => f.model.error.mean)
  const worst = Math.max(...errors)
  const judged = all[0]?.model.judged ?? []
  return {
    id: 'figure-11',
    title: 'Figure 11: the throughput model beside the projection',
    caption: `The parameters come from ${all[0]?.model.fitted.join(', ')} workers, the model is judged on ${judged.join(', ')}.`,
    charts,
    claims: [
      {
        paper: 'The model k / (t + (k − 1) c2) predicts throughput well (appendix A).',
        holds: worst <= 0.1 ? 'yes' : errors.some(e => e <= 0.15) ? 'in part' : 'no',
        here: `mean error on ${judged.join(' and ')} workers: ${all.map(f => `${f.name} ${percent(f.model.error.mean)}`).join(', ')}. What is compared is each worker’s own time, so contention, which the model leaves out too, is not tested.`,
      },
    ],
    notes: [notes(bench)],
    records: [],
  }
}

export async function table4(bench: Workbench): Promise<Figure> {
  const all = await fits(bench)
  const ns = (n: number): string => n.toFixed(1)
  const ratios = all.map(({ model: { parameters: p } }) => p.t / p.c2)
  return {
    id: 'table-4',
    title: 'Table 4: parameters of the model, nanoseconds',
    caption:
      'A packet takes t = d + c1 (receive, process), an item of history c2. d is the time of a program that drops everything in the same loop; the paper’s d is that of a driver and a NIC.',
    charts: [],
    table: {
      columns: ['program', 't', 'c2', 'd', 'c1', 't/c2', 'paper: t', 'c2', 'd', 'c1', 't/c2', 'mean error'],
      rows: all.map(({ name, model: { parameters: p, error } }) => {
        const q = paperParameters[name]
        return [
          name,
          ns(p.t),
          ns(p.c2),
          ns(p.d),
          ns(p.c1),
          ns(p.t / p.c2),
          ...[q.t, q.c2, q.d, q.c1].map(String),
          ns(q.t / q.c2),
          percent(error.mean),
        ]
      }),
    },
    claims: [
      {
        paper: 't is 4.3 to 9.7 times c2, so that replication scales (section 3.2).',
        holds: Math.min(...ratios) >= 4.3 ? 'yes' : Math.max(...ratios) >= 4.3 ? 'in part' : 'no',
        here: `${Math.min(...ratios).toFixed(1)} to ${Math.max(...ratios).toFixed(1)} in memory, where d is ${ns(all[0].model.parameters.d)} ns and not about 100: the replay is as cheap as the paper’s, what it hides behind is missing.`,
      },
    ],
    notes: [notes(bench)],
    records: all.flatMap(f => f.study.records.filter(r => r.parameters.strategy === 'replicated')),
  }
}

export async function table1(bench: Workbench): Promise<Figure> {
  const rows: string[][] = []
  let within = 0
  for (const { name, paperBytes, paperLines } of programs) {
    const p = await bench.program(name)
    if (p.metadataBytes <= paperBytes) within++
    rows.push([
      name,
      String(p.metadataBytes),
      String(paperBytes),
      p.fields,
      p.sharing,
      String(p.lines),
      String(paperLines),
    ])
  }
  return {
    id: 'table-1',
    title: 'Table 1: the programs',
    caption:
      'Found by the compiler from one source per program; the paper’s programs were transformed by hand.',
    charts: [],
    table: {
      columns: [
        'program',
        'metadata bytes',
        'paper',
        'sharding hashes',
        'sharing takes',
        'lines',
        'paper (sharded form)',
      ],
      rows,
    },
    claims: [
      {
        paper: 'The metadata of a packet are 4 to 30 bytes (table 1).',
        holds: within === rows.length ? 'yes' : 'in part',
        here: `${within} of ${rows.length} programs need no more than the paper’s.`,
      },
    ],
    notes: [`This machine has ${availableParallelism()} CPUs.`],
    records: [],
  }
}
