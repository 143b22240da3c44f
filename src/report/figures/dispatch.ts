/** Figure 2: a forwarder's rate by packet size, and how much of a packet's time is receiving it. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { timing } from '../../measure/pieces.js'
import { makeRecord } from '../../measure/record.js'
import type { BenchmarkRecord } from '../../measure/record.js'
import { writePcap } from '../../traffic/pcapfile.js'
import type { Figure } from '../figure.js'
import { pointOf } from '../series.js'
import type { Workbench } from '../workbench.js'
import { repeated } from './scaling.js'

const sizes = [64, 128, 256, 512, 1024, 1500]
/** The longest packets of all fill a file of 150 MB, which must stay in the page cache with the others. */
const mostPackets = 100_000

export async function figure2(bench: Workbench): Promise<Figure> {
  const { repetitions, clock, environment, tell } = bench.options
  const packets = Math.min(bench.options.packets, mostPackets)
  const program = await bench.program('forwarder')
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-figure-'))
  try {
    const files = sizes.map(size => {
      tell(`forwarder, ${size} bytes`)
      const path = join(folder, `${size}.pcap`)
      const law = { unit: 'packets', uniform: [100, 100] } as const
      writePcap(path, {
        law,
        packets,
        udp: 1,
        payload: 1460,
        frameMinimum: size,
        frameLimit: Math.max(size, 64),
      })
      return path
    })
    tell('forwarder, reading')
    const times = await repetitions.captures(program, files)
    const series = (
      unit: string,
      of: (receive: number, compute: number, size: number) => number,
    ): BenchmarkRecord[] =>
      sizes.map((size, k) =>
        makeRecord({
          name: 'forwarder',
          unit,
          better: unit.startsWith('ns') ? 'lower' : 'higher',
          parameters: { size, packets, ...timing(clock) },
          environment,
          samples: times.receive[k].map((receive, i) => of(receive, times.compute[k][i], size)),
          disturbed: times.disturbed,
        }),
      )
    const rates = series('Mpps', (receive, compute) => 1e3 / (receive + compute))
    const bits = series('Gbit/s', (receive, compute, size) => (8 * size) / (receive + compute))
    const receive = series('ns receive', ns => ns)
    const compute = series('ns program', (_, ns) => ns)
    const points = (records: readonly BenchmarkRecord[]) => records.map((r, k) => pointOf(r, sizes[k]))
    const x = { label: 'bytes of a packet', ticks: [64, 512, 1024, 1500] }
    const [first, last] = [compute[0], compute[compute.length - 1]].map(r => r.summary.median)
    const flat = Math.abs(last / first - 1) < 0.25
    const [fast, slow] = [rates[0], rates[rates.length - 1]].map(r => r.summary.median)
    const share = receive[0].summary.median / (receive[0].summary.median + first)
    return {
      id: 'figure-2',
      title: 'Figure 2: a forwarder by packet size',
      caption:
        'One worker, from a capture in the page cache to the verdict. Receiving is what reading the capture costs, which copies bytes where a NIC would write them by DMA.',
      charts: [
        {
          title: 'packets',
          x,
          y: { label: 'million packets a second' },
          series: [{ label: 'forwarder', colour: 'single', kind: 'measured', points: points(rates) }],
        },
        {
          title: 'bits',
          x,
          y: { label: 'Gbit/s' },
          series: [{ label: 'forwarder', colour: 'single', kind: 'measured', points: points(bits) }],
        },
        {
          title: 'time of a packet',
          x,
          y: { label: 'ns' },
          series: [
            { label: 'receive', colour: 'sharded', kind: 'measured', points: points(receive) },
            { label: 'program', colour: 'replicated', kind: 'measured', points: points(compute) },
          ],
        },
      ],
      claims: [
        {
          paper: 'CPU work depends on the number of packets, not of bytes (section 3.1).',
          holds: flat ? (slow > 0.75 * fast ? 'yes' : 'in part') : 'no',
          here: `the program takes ${first.toFixed(1)} ns at 64 bytes and ${last.toFixed(1)} at 1,500; the rate falls from ${fast.toFixed(1)} to ${slow.toFixed(1)} Mpps because reading a file copies every byte.`,
        },
        {
          paper: 'Dispatch takes significant time beside the program (section 3.1).',
          holds: share > 0.4 ? 'yes' : share > 0.15 ? 'in part' : 'no',
          here: `receiving is ${(100 * share).toFixed(0)} % of a 64-byte packet’s time.`,
        },
      ],
      notes: [
        `${packets.toLocaleString('en')} packets a size; ${repeated(repetitions)}; times are ${clock.kind}.`,
      ],
      records: [...rates, ...receive, ...compute],
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
