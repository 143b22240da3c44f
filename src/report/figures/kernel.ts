/** Table 4 in the kernel: what receiving a packet and running a program on it cost with XDP. */

import { paperParameters } from '../../measure/model.js'
import { makeRecord } from '../../measure/record.js'
import type { BenchmarkRecord } from '../../measure/record.js'
import { kernelCosts } from '../../measure/veth-cost.js'
import { traceStore } from '../../measure/traces.js'
import { percent } from '../figure.js'
import type { Claim, Figure } from '../figure.js'
import type { Workbench } from '../workbench.js'

const programs = Object.keys(paperParameters)
const flows = 512
const packetsSent = 200_000
/** Samples, whatever the effort: each has programs and maps loaded anew, in one process, for their memory is the kernel's. */
const leastSamples = 7

export async function kernelTable(bench: Workbench): Promise<Figure> {
  const { environment, tell, repetitions } = bench.options
  const count = Math.max(leastSamples, repetitions.options.processes)
  const paper = 'Receiving is most of a packet’s time in a driver: d is 53 to 91 % of t (table 4).'
  const shared = {
    id: 'table-4-kernel',
    title: 'Table 4 in the kernel: receiving and processing by XDP',
    caption:
      'Processor time of one thread that sends live frames over a veth pair and runs the program at its other end in the same call. d is the time with a program that drops everything, the making of the frame included; c1 is what a program adds. What an item of history costs in the kernel (c2) is measured by node dist/bench/xdp.js --mode history.',
    charts: [],
  }
  let samples: readonly (readonly number[])[]
  let disturbed: BenchmarkRecord['disturbed']
  try {
    tell('XDP programs on veth pairs')
    const subjects = []
    for (const name of ['idle', ...programs]) subjects.push(await bench.options.kernel(name))
    const store = traceStore(
      'knocks',
      { law: 'uniform', flows, packets: flows * 8, frameLimit: 64 },
      flows * 8,
    )
    const packets = Array.from({ length: store.count }, (_, k) => store.packet(k).bytes.slice(0, 60))
    ;({ samples, disturbed } = await kernelCosts(subjects, packets, count, packetsSent))
  } catch (error) {
    const here = (error as Error).message.split('\n')[0]
    return {
      ...shared,
      claims: [{ paper, holds: 'not measured', here }],
      notes: [],
      records: [],
    }
  }
  const records = ['idle', ...programs].map((program, k) =>
    makeRecord({
      name: 'kernel cost',
      unit: 'ns/packet',
      better: 'lower',
      parameters: { program, flows, packets: packetsSent, clock: 'processor time' },
      environment,
      samples: samples[k],
      disturbed,
    }),
  )
  const [idle, ...others] = records
  const d = idle.summary.median
  const added = others.map(r => Math.max(0, r.summary.median - d))
  const shares = added.map(c1 => d / (d + c1))
  const claim: Claim = {
    paper,
    holds: Math.min(...shares) > 0.5 ? 'yes' : Math.max(...shares) > 0.5 ? 'in part' : 'no',
    here: `d is ${d.toFixed(0)} ns and ${percent(Math.min(...shares))} to ${percent(Math.max(...shares))} of t with the paper’s five programs, so in the kernel there is something to hide a replay behind.`,
  }
  return {
    ...shared,
    table: {
      columns: ['program', 't', 'spread', 'd', 'c1', 'd/t', 'paper: t', 'd', 'c1', 'd/t'],
      rows: programs.map((name, k) => {
        const q = paperParameters[name]
        const { median, spread } = others[k].summary
        return [
          name,
          median.toFixed(0),
          percent(spread),
          d.toFixed(0),
          added[k].toFixed(0),
          percent(shares[k]),
          ...[q.t, q.d, q.c1].map(String),
          percent(q.d / q.t),
        ]
      }),
    },
    claims: [claim],
    notes: [
      `${flows} flows of 64-byte packets, ${packetsSent.toLocaleString('en')} packets a round, ${count} samples, each the median of five rounds in turn over programs loaded anew; no per-program statistics of the kernel. A closed loop: a service time, not a loss-free rate.`,
    ],
    records: records,
  }
}
