/** Figure 2: a forwarder's rate by packet size, and how much of a packet's time is receiving it. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCapture } from '../../device/capture.js'
import { compiledWalkers } from '../../device/walker.js'
import { plan } from '../../engine/plan.js'
import { start } from '../../engine/run.js'
import { makeRecord } from '../../measure/record.js'
import type { BenchmarkRecord } from '../../measure/record.js'
import { takeRounds } from '../../measure/rounds.js'
import { single } from '../../strategy/single.js'
import { writePcap } from '../../traffic/pcapfile.js'
import type { Figure } from '../figure.js'
import { pointOf } from '../series.js'
import type { Workbench } from '../workbench.js'

const sizes = [64, 128, 256, 512, 1024, 1500]

export async function figure2(bench: Workbench): Promise<Figure> {
  const { packets, rounds, clock, environment, tell } = bench.options
  const program = await bench.program('forwarder')
  const planned = plan(program.artifact, { strategy: single, cores: 1, virtual: true, wholeSlabs: true })
  if ('error' in planned) throw new Error(planned.error)
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
    const candidates = files.map(path => async () => {
      const open = (memory: WebAssembly.Memory, workspace: number) =>
        openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) })
      const result = await start(program.artifact, planned, single, { open, clock: clock.now })
      const per = (milliseconds: number): number => (1e6 * milliseconds) / result.received
      return { receive: per(result.readMilliseconds), compute: per(result.workers[0].busyMilliseconds) }
    })
    const { samples, disturbed } = await takeRounds(candidates, { rounds, warmup: 3, repeats: rounds })
    const record = (
      unit: string,
      size: number,
      of: (s: { receive: number; compute: number }) => number,
      k: number,
    ): BenchmarkRecord =>
      makeRecord({
        name: 'forwarder',
        unit,
        better: unit === 'ns' ? 'lower' : 'higher',
        parameters: { size, packets, clock: clock.kind },
        environment,
        samples: samples[k].map(of),
        disturbed,
      })
    const series = (unit: string, of: (s: { receive: number; compute: number }, size: number) => number) =>
      sizes.map((size, k) => record(unit, size, s => of(s, size), k))
    const rates = series('Mpps', s => 1e3 / (s.receive + s.compute))
    const bits = series('Gbit/s', (s, size) => (8 * size) / (s.receive + s.compute))
    const receive = series('ns', s => s.receive)
    const compute = series('ns', s => s.compute)
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
        `${packets.toLocaleString('en')} packets a size, ${rounds} repetitions in turn, times are ${clock.kind}.`,
      ],
      records: [...rates, ...receive, ...compute],
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
