/** Figures 1, 6 and 7: throughput by strategy and number of cores. */

import type { TraceName } from '../../measure/traces.js'
import type { Repetitions } from '../../measure/repetitions.js'
import type { Study } from '../../measure/study.js'
import type { Chart, Series } from '../chart.js'
import type { Claim, Figure } from '../figure.js'
import { curve, growthOf, measuredSeries, projectedSeries, times } from '../series.js'
import type { Growth } from '../series.js'
import type { Workbench } from '../workbench.js'

const y = { label: 'million packets a second' }

function chart(title: string, series: readonly Series[], workers: readonly number[]): Chart {
  return { title, x: { label: 'cores', ticks: workers, least: 0 }, y, series }
}

const projectedChart = (study: Study, workers: readonly number[]): Chart =>
  chart(`${study.program}, ${study.trace}: projected`, projectedSeries(study), workers)

/** Where only one worker can be measured there are no lines, and each strategy has a place of its own. */
function measuredChart(study: Study): Chart {
  const series = measuredSeries(study)
  const counts = [...new Set(series.flatMap(s => s.points.map(p => p.x)))].toSorted((a, b) => a - b)
  const title = `${study.program}, ${study.trace}: `
  if (counts.length > 1) return chart(`${title}measured`, series, counts)
  return {
    title: `${title}one worker, measured`,
    x: { label: '', names: series.map(s => (s.colour === 'single' ? 'no strategy' : s.label)) },
    y,
    series: series.map(s => ({
      ...s,
      label: '',
      points: s.points.map(p => ({ ...p, x: series.indexOf(s) })),
    })),
  }
}

const kindsNote = (cpus: number): string =>
  'Projected: no sequencer in it, as if hardware did its work (the black line has the software sequencer); contention between cores is not in it. ' +
  'Measured: reading from memory and sequencing included, a million packets by several passes over the trace. One worker takes turns with them on one thread, timed by its processor time, of each slab the lower quartile over the rounds; ' +
  'more have a thread each beside that of the sequencer, timed by the wall clock, so that n of them need n + 1 CPUs' +
  (cpus < 3 ? `, and this machine has ${cpus}.` : '.')

const growth = (study: Study, strategy: string): Growth | undefined =>
  growthOf(curve(study, strategy, 'projected', 'hardware'))

/** Why replication in memory gains what it gains: the model's limit is 1/c2. */
function limitText(study: Study, d: number): string {
  const costs = study.costs.filter(c => c.workers <= 4)
  if (costs.length < 2) return ''
  const first = costs[0].nanoseconds
  const slope =
    (costs[costs.length - 1].nanoseconds - first) / (costs[costs.length - 1].workers - costs[0].workers)
  return ` A packet costs t = ${first.toFixed(0)} ns here, of which receiving it is ${d.toFixed(0)}, and replaying one ${slope.toFixed(0)}: t/c2 is ${(first / slope).toFixed(1)} where the paper has 4.3 to 9.7, because memory hands packets out for less than a NIC does.`
}

function replicationClaim(paper: string, studies: readonly Study[], d: number): Claim {
  const found = studies.flatMap(s => growth(s, 'replicated') ?? [])
  if (found.length === 0) return { paper, holds: 'not measured', here: 'no curve' }
  const rising = found.filter(g => g.monotone && g.gain > 1.2).length
  const linear = found.filter(g => g.monotone && g.gain > 0.6 * g.workers).length
  const gains = found.map(g => g.gain)
  const range =
    `on ${found[0].workers} cores ${times(Math.min(...gains))}` +
    (found.length > 1 ? ` to ${times(Math.max(...gains))}` : '') +
    ' the rate of one, projected with a hardware sequencer'
  const holds = linear === found.length ? 'yes' : rising > 0 ? 'in part' : 'no'
  const counts = found.length > 1 ? `; ${rising} of ${found.length} curves rise, ${linear} linearly` : ''
  return { paper, holds, here: `${range}${counts}.${holds === 'yes' ? '' : limitText(studies[0], d)}` }
}

function elephantClaim(paper: string, studies: readonly Study[]): Claim {
  const gains = studies
    .flatMap(s => growth(s, 'sharded') ?? [])
    .map(g => ({ gain: g.gain, workers: g.workers }))
  if (gains.length === 0) return { paper, holds: 'not measured', here: 'no curve' }
  const capped = gains.filter(g => g.gain < 0.6 * g.workers).length
  const most = Math.max(...gains.map(g => g.gain))
  return {
    paper,
    holds: capped === gains.length ? 'yes' : capped > 0 ? 'in part' : 'no',
    here: `sharding gains at most ${times(most)} on ${gains[0].workers} cores; ${capped} of ${gains.length} curves stay below 0.6 times the cores.`,
  }
}

function lockClaim(paper: string, studies: readonly Study[], cpus: number): Claim {
  const found = studies.flatMap(study => {
    const [one, ...more] = curve(study, 'shared', 'measured', 'included')
    const last = more.at(-1)
    if (!one || !last) return []
    return [{ ratio: last.summary.median / one.summary.median, workers: Number(last.parameters.workers) }]
  })
  if (found.length === 0 || found[0].workers < 3)
    return {
      paper,
      holds: 'not measured',
      here: `three workers that contend and the thread that sequences need 4 CPUs, this machine has ${cpus}; nothing is projected for contention.`,
    }
  const ratios = found.map(f => f.ratio)
  const falling = ratios.filter(r => r < 0.9).length
  return {
    paper,
    holds: falling === ratios.length ? 'yes' : falling > 0 ? 'in part' : 'no',
    here: `with ${found[0].workers} workers shared state gives ${times(Math.min(...ratios))} to ${times(Math.max(...ratios))} the rate of one, sequencing thread beside them.`,
  }
}

function rssPlusClaim(paper: string, studies: readonly Study[]): Claim {
  const ratios = studies.flatMap(study => {
    const [rss, plus] = [growth(study, 'sharded'), growth(study, 'rebalanced')]
    return rss && plus ? [plus.best / rss.best] : []
  })
  if (ratios.length === 0) return { paper, holds: 'not measured', here: 'no curve' }
  const [worse, better] = [ratios.filter(r => r < 0.97).length, ratios.filter(r => r > 1.03).length]
  return {
    paper,
    holds: worse > 0 && better > 0 ? 'yes' : worse + better > 0 ? 'in part' : 'no',
    here: `best rates of RSS++ are ${times(Math.min(...ratios))} to ${times(Math.max(...ratios))} those of RSS: better on ${better}, worse on ${worse} of ${ratios.length} curves.`,
  }
}

export async function figure1(bench: Workbench): Promise<Figure> {
  const study = await bench.study('connection-tracker', 'single flow')
  const d = await bench.dispatch('single flow')
  const { cpus, workers } = bench.options
  return {
    id: 'figure-1',
    title: 'Figure 1: one TCP connection through a connection tracker',
    caption: kindsNote(cpus),
    charts: [projectedChart(study, workers), measuredChart(study)],
    claims: [
      replicationClaim('Replication scales one connection linearly with cores (figure 1).', [study], d),
      elephantClaim('Sharding cannot use more than one core for one connection (section 2).', [study]),
      lockClaim('Sharing state degrades beyond two cores (figure 1).', [study], cpus),
    ],
    notes: [notes(bench)],
    records: study.records,
  }
}

const skewed: readonly TraceName[] = ['university', 'backbone']
const four = ['ddos-mitigator', 'heavy-hitter', 'token-bucket', 'port-knocking'] as const

export async function figure6(bench: Workbench): Promise<Figure> {
  const studies: Study[] = []
  for (const trace of skewed) for (const name of four) studies.push(await bench.study(name, trace))
  const d = await bench.dispatch('university')
  const { cpus, workers } = bench.options
  return {
    id: 'figure-6',
    title: 'Figure 6: four programs on a data centre’s and a backbone’s traffic',
    caption: kindsNote(cpus),
    charts: [...studies.map(s => projectedChart(s, workers)), ...studies.map(measuredChart)],
    claims: [
      replicationClaim(
        'Replication alone rises monotonically for every program and trace, linearly (section 4.2).',
        studies,
        d,
      ),
      elephantClaim('Sharding is capped by elephant flows (section 4.2).', studies),
      rssPlusClaim('RSS++ sometimes beats RSS and sometimes does not (section 4.2).', studies),
      lockClaim('Locks fall off at three cores or more (section 4.2).', studies, cpus),
    ],
    notes: [
      notes(bench),
      'Traces are drawn from published flow sizes (docs/traffic.md); the paper’s captures are not public.',
    ],
    records: studies.flatMap(s => s.records),
  }
}

export async function figure7(bench: Workbench): Promise<Figure> {
  const study = await bench.study('connection-tracker', 'hyperscaler')
  const d = await bench.dispatch('hyperscaler')
  const { cpus, workers } = bench.options
  return {
    id: 'figure-7',
    title: 'Figure 7: a connection tracker on a hyperscaler’s traffic',
    caption: kindsNote(cpus),
    charts: [projectedChart(study, workers), measuredChart(study)],
    claims: [
      replicationClaim('Replication scales connection tracking linearly (figure 7).', [study], d),
      elephantClaim('Sharding does not (figure 7).', [study]),
    ],
    notes: [notes(bench)],
    records: study.records,
  }
}

export const notes = ({ options: { packets, repetitions } }: Workbench): string =>
  `${packets.toLocaleString('en')} packets of at most 192 bytes; ${repeated(repetitions)}; no loss criterion: memory loses nothing, so a rate is a service rate.`

/** How often something was measured, in words. */
export const repeated = ({ options: { processes, most, rounds } }: Repetitions): string =>
  `${most === 1 ? 'one process' : `${processes === most ? processes : `${processes} to ${most}`} processes`}, each of at least ${rounds} rounds in turn`
