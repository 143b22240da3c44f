// History in front of packets against history in memory, live: what sequencer and workers take for a packet.
//
// Both forms of a program stand on a veth pair each and get the same packets in turns, at a rate that all keep up with.
// The sequencer has CPU 0; all workers are on the last CPU, each with its own queue and tables, so that items go from one CPU to
// another as they do with more. A worker's time contains the items of the others. Times are the kernel's own of each run of a
// program, with the 21 ns that it counts of an empty one: processes do not interrupt them.

import { readFileSync } from 'node:fs'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import { ReplicatedRun } from '../../src/engine/live/replicated-run.js'
import type { LiveHistory } from '../../src/engine/live/plan.js'
import { up } from '../../src/lab/lab.js'
import { median } from '../../src/measure/statistics.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { enableStatistics, programInfo } from '../../src/sys/info.js'
import type { BpfProgram } from '../../src/sys/program.js'
import { openLiveSender } from '../../src/traffic/live.js'

const rate = 200_000

/** TCP of 256 flows, 60 bytes: something that every program's state changes by. */
const packets = Array.from({ length: 256 }, (_, k) => {
  const bytes = new Uint8Array(60)
  const view = new DataView(bytes.buffer)
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45])
  view.setUint16(16, 46)
  bytes.set([64, 6], 22)
  bytes.set([10, 0, 0, k, 10, 0, 0, 2], 26)
  view.setUint16(34, 40_000 + k)
  view.setUint16(36, 7001 + (k % 3))
  view.setUint32(38, 1000 * k)
  bytes.set([0x50, k % 4 === 0 ? 2 : 16], 46)
  return bytes
})

/** One form of one program with so many workers, until closed. */
class Form {
  readonly #lab = up({
    namespaces: { gen: {}, box: {} },
    pairs: [
      {
        ends: [
          { namespace: 'gen', device: 'a', xdp: 'drop' },
          { namespace: 'box', device: 'b' },
        ],
      },
    ],
  })
  readonly #run: ReplicatedRun
  readonly #sender

  constructor(subject: Compiled, workers: number, history: LiveHistory, queueSize: number) {
    this.#run = this.#lab.inNamespace(
      'box',
      () =>
        new ReplicatedRun(subject, {
          interfaces: ['b'],
          settings: new Map(),
          seed: 1n,
          workers,
          history,
          cpus: [onlineCpus().at(-1)!],
          queueSize,
          clock: 'exact',
          queue: 0,
          funnelCpu: 0,
          mode: 'native',
        }),
    )
    this.#sender = this.#lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a', rate }))
  }

  /** ns a packet of the sequencer, and of a worker with the items of the others. */
  async measure(count: number): Promise<{ sequencer: number; worker: number }> {
    const { sequencer, workers } = this.#run
    const crews = [[sequencer.packets.program], workers.workers.map(w => w.program)]
    const before = crews.map(totals)
    await this.#sender.send(count)
    const [first, second] = crews
      .map(totals)
      .map((now, k) => (now.time - before[k].time) / (now.runs - before[k].runs))
    return { sequencer: first, worker: second }
  }

  close(): void {
    this.#sender.close()
    this.#run.close()
    this.#lab.down()
  }
}

function totals(programs: readonly BpfProgram[]): { time: number; runs: number } {
  const each = programs.map(programInfo)
  const sum = (of: 'runTime' | 'runCount'): number => each.reduce((n, p) => n + Number(p[of]), 0)
  return { time: sum('runTime'), runs: sum('runCount') }
}

/** Rows of a table: program, workers, then sequencer and worker by value and by reference; `-` where it does not fit. */
export async function measureForms(rounds: number, count: number, queueSize: number): Promise<string[][]> {
  const rows = [['program', 'workers', 'sequencer: value', 'reference', 'worker: value', 'reference']]
  const statistics = enableStatistics()
  try {
    for (const name of ['ddos-mitigator', 'token-bucket', 'connection-tracker'])
      for (const workers of name === 'connection-tracker' ? [7] : [2, 7, 14]) {
        const forms: Form[] = []
        try {
          const file = `programs/${name}.ts`
          const { compiled } = compile(file, readFileSync(file, 'utf8'))
          for (const history of ['value', 'reference'] as const)
            if (history === 'reference' || fits(name, workers))
              forms.push(new Form(compiled!, workers, history, queueSize))
          const found = forms.map(() => ({ sequencer: [] as number[], worker: [] as number[] }))
          for (let k = 0; k <= rounds; k++)
            for (const [n, form] of forms.entries()) {
              const { sequencer, worker } = await form.measure(count)
              // The first round warms up.
              if (k === 0) continue
              found[n].sequencer.push(sequencer)
              found[n].worker.push(worker)
            }
          const each = (of: 'sequencer' | 'worker'): string[] => {
            const shown = found.map(f => median(f[of]).toFixed(1))
            return shown.length === 2 ? shown : ['-', ...shown]
          }
          rows.push([name, String(workers), ...each('sequencer'), ...each('worker')])
        } finally {
          for (const form of forms) form.close()
        }
      }
  } finally {
    statistics.close()
  }
  return rows
}

/** Whether the history fits into 216 bytes in front of packets, which are 12 workers of the token bucket. */
const fits = (name: string, workers: number): boolean => name !== 'token-bucket' || workers <= 12
