/**
 * The live sequencer: `sudo node dist/bench/sequencer.js [--mode recipe,break-even,forms] [--rounds n] [--packets n] [--json]`.
 *
 * `recipe`: sequencer, CPU map and one worker, compiled, against the same written by hand, in turn, each on a veth pair of
 * its own; the sender and the sequencer share CPU 0, the worker has CPU 1. On a machine that others use, `chrt -f 5` before it has
 * all of that run in real time, the kernel's threads too. Million packets a second that reach the worker;
 * and the time of each of the two programs as the kernel counts it, with the 21 ns that it counts of an empty one: that holds
 * where others use the CPUs too, because neither is interrupted by processes.
 *
 * `break-even`: a program whose verdict takes more and more time, but whose state takes little, on one CPU
 * (`single`, in the driver) and as one of N workers behind a sequencer, in CPU time a packet: of the thread that sends,
 * receives and runs the program or the sequencer, and of the worker's thread. From these the rate of N workers on CPUs of
 * their own is reckoned, up to what the sequencer passes on.
 *
 * `forms` (only if asked for): history in front of packets against history in memory (sequencer/forms.ts).
 */

import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { compile } from '../src/compile.js'
import type { Compiled } from '../src/compile.js'
import { ReplicatedRun } from '../src/engine/live/replicated-run.js'
import { SoloRun } from '../src/engine/live/solo-run.js'
import { up } from '../src/lab/lab.js'
import type { Lab } from '../src/lab/lab.js'
import { compare, formatComparison } from '../src/measure/compare.js'
import type { Candidate } from '../src/measure/compare.js'
import type { BenchmarkRecord } from '../src/measure/record.js'
import { median } from '../src/measure/statistics.js'
import { formatTable } from '../src/measure/table.js'
import { enableStatistics, programInfo } from '../src/sys/info.js'
import type { BpfProgram } from '../src/sys/program.js'
import { pinThread } from '../src/sys/cpus.js'
import { threadTime } from '../src/sys/thread-time.js'
import { attachXdp } from '../src/sys/xdp.js'
import { openLiveSender } from '../src/traffic/live.js'
import { measureForms } from './sequencer/forms.js'
import { loadRecipe } from './sequencer/recipe.js'

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'recipe,break-even' },
    rounds: { type: 'string', default: '5' },
    packets: { type: 'string', default: '1000000' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const count = Number(values.packets)
const usualQueue = 2048
const workerCpu = 1
pinThread([0])

const source = `
import { type Packet, cell, parameter, u32, Verdict } from 'hairpin'
const iterations = parameter(u32, 0, 'rounds')
const seen = cell(u32)
function round(x: u32): u32 {
  const a: u32 = x ^ (x << 13)
  const b: u32 = a ^ (a >>> 17)
  return b ^ (b << 5)
}
export default function tunable(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Drop
  seen.set(u32(seen.get() + packet.length))
  let hash: u32 = u32(ip.source)
  for (let i = 0; i < 4096 && i < iterations; i++) hash = round(hash)
  return hash === 1 ? Verdict.Pass : Verdict.Drop
}
`

function compiled(text: string): Compiled {
  const { compiled: found, diagnostics } = compile('tunable.ts', text)
  if (!found) throw new Error(diagnostics.map(d => d.message).join('\n'))
  return found
}

/** UDP of many flows, 60 bytes. */
const packets = Array.from({ length: 256 }, (_, k) => {
  const bytes = new Uint8Array(60)
  const view = new DataView(bytes.buffer)
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45])
  view.setUint16(16, 46)
  bytes.set([64, 17], 22)
  bytes.set([10, 0, 0, k, 10, 0, 0, 2], 26)
  view.setUint16(34, 40_000 + k)
  view.setUint16(36, 53)
  view.setUint16(38, 26)
  return bytes
})

const cable = {
  namespaces: { gen: {}, box: {} },
  pairs: [
    {
      ends: [
        { namespace: 'gen', device: 'a' },
        { namespace: 'box', device: 'b' },
      ],
    },
  ],
} as const

/** Something that counts what it has handled, on a veth pair of its own. */
interface Station {
  readonly name: string
  /** Sequencer and worker. */
  readonly programs: readonly BpfProgram[]
  handled(): number
  close(): void
}

/** Mpps that a station handles of what comes as fast as possible, and ns of each of its programs at a rate it keeps up with. */
interface Timed extends Candidate {
  handled(): number
  send(packets: number): Promise<unknown>
  readonly times: readonly (() => Promise<number>)[]
  close(): void
}

function candidate(lab: Lab, station: Station): Timed {
  const sender = lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a', burst: 64 }))
  const paced = lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a', rate: 200_000 }))
  const time = (program: BpfProgram) => async (): Promise<number> => {
    const before = programInfo(program)
    await paced.send(count / 10)
    const after = programInfo(program)
    return Number(after.runTime - before.runTime) / Number(after.runCount - before.runCount)
  }
  return {
    name: station.name,
    handled: () => station.handled(),
    send: n => sender.send(n),
    times: station.programs.map(time),
    async run() {
      // In real time nobody may have a CPU for all of a second.
      await setTimeout(200)
      const before = station.handled()
      const begun = performance.now()
      await sender.send(count)
      return (station.handled() - before) / (performance.now() - begun) / 1e3
    },
    close() {
      sender.close()
      paced.close()
      station.close()
      lab.down()
    },
  }
}

function replicated(
  name: string,
  subject: Compiled,
  slots: number,
  settings: ReadonlyMap<string, bigint>,
  queueSize = usualQueue,
) {
  const lab = up(cable)
  const run = lab.inNamespace(
    'box',
    () =>
      new ReplicatedRun(subject, {
        interfaces: ['b'],
        settings,
        seed: 1n,
        workers: 1,
        slots,
        cpus: [workerCpu],
        queueSize,
        clock: 'exact',
        queue: 0,
        funnelCpu: 0,
        mode: 'native',
      }),
  )
  return candidate(lab, {
    name,
    programs: [run.sequencer.packets.program, run.workers.workers[0].program],
    handled: () => Number(run.figures().workers[0].packets),
    close: () => run.close(),
  })
}

function single(name: string, subject: Compiled, settings: ReadonlyMap<string, bigint>) {
  const lab = up(cable)
  const run = lab.inNamespace(
    'box',
    () => new SoloRun(subject, { interfaces: ['b'], settings, seed: 1n, mode: 'native' }),
  )
  return candidate(lab, {
    name,
    programs: [],
    handled: () => Number(run.figures().sequenced),
    close: () => run.close(),
  })
}

function recipe(queueSize = usualQueue) {
  const lab = up(cable)
  const loaded = loadRecipe(workerCpu, queueSize)
  lab.inNamespace('box', () => attachXdp(loaded.program, 'b', 'native'))
  const { program, worker, handled, close } = loaded
  return candidate(lab, { name: 'by hand', programs: [program, worker], handled, close })
}

const records: BenchmarkRecord[] = []
const options = { rounds, warmup: 1, unit: 'Mpps', better: 'higher' } as const

/** Frames of a burst: a queue takes them, so that every one is numbered. */
const burst = 12_000
const deepQueue = 16_384
const bursts = 8

/** CPU ns of a packet: of the thread that sends, receives and sequences, and of the worker's. */
async function costs(station: Timed, workers: readonly string[]): Promise<{ front: number; worker: number }> {
  const handled = station.handled()
  let front = 0
  const before = cpuTime(workers)
  for (let k = 0; k < bursts; k++) {
    const began = Number(threadTime())
    await station.send(burst)
    front += Number(threadTime()) - began
    for (let n = 0; n < 500 && station.handled() < handled + (k + 1) * burst; n++) await setTimeout(2)
  }
  if (station.handled() < handled + bursts * burst)
    throw new Error(`${station.handled() - handled} of ${bursts * burst} packets of bursts arrived`)
  const packets = bursts * burst
  return { front: front / packets, worker: (cpuTime(workers) - before) / packets }
}

/** ns on a CPU, of threads by their number. */
const onCpu = (path: string): number => Number(readFileSync(path, 'utf8').split(' ')[0])
const cpuTime = (threads: readonly string[]): number =>
  threads.reduce((sum, pid) => sum + onCpu(`/proc/${pid}/schedstat`), 0)

/** Threads that empty queues of CPU maps. */
const queueThreads = (): string[] =>
  readdirSync('/proc').filter(pid => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('cpumap/')
    } catch {
      return false
    }
  })

/** Has threads that empty queues run in real time if this process does (chrt -f): what keeps others off one CPU keeps them off both. */
function shareClass(threads: readonly string[]): void {
  // Behind the name, which may hold anything, priority and class are the 38th and 39th field.
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)!.split(' ')
  const [priority, policy] = [fields[37], fields[38]]
  if (policy === '1') for (const pid of threads) execFileSync('chrt', ['-f', '-p', priority, pid])
}

if (values.mode.includes('recipe')) {
  const others = queueThreads()
  const all = [recipe(), replicated('compiled', compiled(source), 3, new Map())]
  shareClass(queueThreads().filter(pid => !others.includes(pid)))
  try {
    const comparison = await compare(all, { ...options, parameters: { items: 3, packets: count } })
    records.push(...comparison.records)
    if (!values.json) process.stdout.write(`${formatComparison(comparison)}\n`)
    const statistics = enableStatistics()
    for (const [k, what] of ['sequencer', 'worker'].entries()) {
      const timed = await compare(
        all.map(c => ({ name: `${what} ${c.name}`, run: c.times[k] })),
        { ...options, unit: 'ns/packet', better: 'lower', parameters: { items: 3, rate: 200_000 } },
      )
      records.push(...timed.records)
      if (!values.json) process.stdout.write(`${formatComparison(timed)}\n`)
    }
    statistics.close()
  } finally {
    for (const c of all) c.close()
  }
  const known = queueThreads()
  const byHand = recipe(deepQueue)
  const between = queueThreads()
  const made = replicated('compiled', compiled(source), 3, new Map(), deepQueue)
  shareClass(queueThreads().filter(pid => !known.includes(pid)))
  const crews = [
    { name: 'by hand', station: byHand, threads: between.filter(pid => !known.includes(pid)) },
    { name: 'compiled', station: made, threads: queueThreads().filter(pid => !between.includes(pid)) },
  ]
  try {
    for (const part of ['front', 'worker'] as const) {
      const spent = await compare(
        crews.map(c => ({
          name: `${part} ${c.name}`,
          run: async () => (await costs(c.station, c.threads))[part],
        })),
        { ...options, unit: 'CPU ns/packet', better: 'lower', parameters: { items: 3, burst } },
      )
      records.push(...spent.records)
      if (!values.json) process.stdout.write(`${formatComparison(spent)}\n`)
    }
  } finally {
    for (const { station } of crews) station.close()
  }
}

if (values.mode.includes('break-even')) {
  const crews = [2, 4, 7]
  const rows: string[][] = [
    [
      'rounds',
      'single',
      'sequencer',
      ...crews.map(n => `worker of ${n}`),
      'Mpps: single',
      ...crews.map(n => `${n} workers`),
    ],
  ]
  for (const iterations of [0, 16, 32, 64, 128, 256, 512]) {
    const settings = new Map([['iterations', BigInt(iterations)]])
    const subject = compiled(source)
    const others = queueThreads()
    const all = [
      { station: single('single', subject, settings), threads: [] as string[] },
      ...crews.map(n => {
        const known = queueThreads()
        const station = replicated(`1 of ${n}`, subject, n - 1, settings, deepQueue)
        return {
          station,
          threads: queueThreads().filter(pid => !known.includes(pid) && !others.includes(pid)),
        }
      }),
    ]
    const found: { front: number[]; worker: number[] }[] = all.map(() => ({ front: [], worker: [] }))
    try {
      for (let k = 0; k <= rounds; k++)
        for (const [n, { station, threads }] of all.entries()) {
          const { front, worker } = await costs(station, threads)
          // The first round warms up.
          if (k === 0) continue
          found[n].front.push(front)
          found[n].worker.push(worker)
        }
    } finally {
      for (const { station } of all) station.close()
    }
    const [alone, ...each] = found.map(f => ({ front: median(f.front), worker: median(f.worker) }))
    const rate = (n: number, { front, worker }: { front: number; worker: number }): number =>
      Math.min(1e3 / front, (n * 1e3) / worker)
    rows.push([
      String(iterations),
      alone.front.toFixed(0),
      each[0].front.toFixed(0),
      ...each.map(e => e.worker.toFixed(0)),
      (1e3 / alone.front).toFixed(2),
      ...each.map((e, k) => rate(crews[k], e).toFixed(2)),
    ])
  }
  if (!values.json)
    process.stdout.write(
      `${formatTable(rows, 'rrrrrrrrrr')}\n\nns of CPU time a packet, medians of ${rounds}; with the sender's, about 45, in single and sequencer.\n` +
        'Rates are reckoned from them: a CPU for the sequencer and one for each worker.\n',
    )
}
if (values.mode.includes('forms')) {
  const rows = await measureForms(rounds, count / 10, usualQueue)
  process.stdout.write(
    `${formatTable(rows, 'lrrrrr')}\n\nns a packet as the kernel counts them, 21 of each the counting; medians of ${rounds}.\n`,
  )
}
if (values.json) console.log(JSON.stringify(records, null, 1))
