/**
 * One state for all CPUs in the kernel, in each form that is safe, in nanoseconds a packet: on one CPU, and on two at once
 * with one flow (both want the same entry) and with a flow each: `node dist/bench/shared-kernel.js [--rounds n]
 * [--repeat n] [PROGRAM…]`.
 *
 * Packets are repeated by the kernel's test run, which times them itself, on threads that stay on their CPU and begin
 * together; figures include about 7 ns of an empty run. All cases run in turn, round by round: medians and the lowest.
 */

import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { newest } from '../src/engine/kernel/form.js'
import { load } from '../src/engine/kernel/load.js'
import { kernelSharings, whyNotShared } from '../src/engine/kernel/sharing.js'
import { formatTable } from '../src/measure/table.js'
import { onlineCpus, pinThread } from '../src/sys/cpus.js'
import { BpfProgram } from '../src/sys/program.js'
import { testRun } from '../src/sys/test-run.js'
import { compileBundled } from './xdp/ours.js'
import { packetsOf } from './xdp/packets.js'

interface Work {
  readonly cpu: number
  /** One word: threads that are ready. */
  readonly words: Int32Array<SharedArrayBuffer>
  readonly thread: number
  readonly repeat: number
}

/** What a thread is told before each round. */
interface Turn {
  readonly fd: number
  readonly packet: Uint8Array<ArrayBuffer>
  /** Threads that begin together. */
  readonly together: number
}

if (isMainThread) await measure()
else serve()

function serve(): void {
  const { cpu, words, thread, repeat } = workerData as Work
  pinThread([cpu])
  parentPort!.on('message', ({ fd, packet, together }: Turn) => {
    Atomics.add(words, 0, 1)
    if (together > 1) while (Atomics.load(words, 0) < together);
    const { duration } = testRun(new BpfProgram(fd, 'xdp', 'shared'), { data: packet, repeat })
    parentPort!.postMessage([thread, duration])
  })
  parentPort!.postMessage('ready')
}

async function measure(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '15' }, repeat: { type: 'string', default: '200000' } },
  })
  const names = positionals.length
    ? positionals
    : ['ddos-mitigator', 'heavy-hitter', 'port-knocking', 'token-bucket', 'connection-tracker']
  const cpus = onlineCpus().slice(0, 2)
  if (cpus.length < 2) throw new Error('this needs two CPUs')
  const words = new Int32Array(new SharedArrayBuffer(4))
  const workers = cpus.map(
    (cpu, thread) =>
      new Worker(new URL(import.meta.url), {
        workerData: { cpu, words, thread, repeat: Number(values.repeat) } satisfies Work,
      }),
  )
  await Promise.all(workers.map(w => once(w, 'message')))
  /** Nanoseconds a packet on each CPU. */
  const run = async (fd: number, packets: readonly Uint8Array<ArrayBuffer>[]): Promise<number[]> => {
    Atomics.store(words, 0, 0)
    const turns = packets.map((packet, k) => {
      const answer = once(workers[k], 'message')
      workers[k].postMessage({ fd, packet, together: packets.length } satisfies Turn)
      return answer
    })
    return (await Promise.all(turns)).map(([message]) => (message as [number, number])[1])
  }

  const rows: string[][] = []
  for (const name of names) {
    const subject = compileBundled(name)
    const { before, measured, settings } = packetsOf(name)
    const [hot, other] = measured.slice(0, 2).map(bytes => Uint8Array.from(bytes))
    const programs = kernelSharings
      .filter(sharing => whyNotShared(subject, sharing, newest) === undefined)
      .map(sharing => ({ sharing, loaded: load(subject, { settings, seed: 1n, sharing }) }))
    for (const { loaded } of programs)
      for (const bytes of before) testRun(loaded.program, { data: Uint8Array.from(bytes) })
    const cases = programs.flatMap(({ sharing, loaded }) =>
      [[hot], [hot, hot], [hot, other]].map(packets => ({ sharing, loaded, packets, times: [] as number[] })),
    )
    for (let round = -2; round < Number(values.rounds); round++)
      for (const { loaded, packets, times } of cases) {
        const took = await run(loaded.program.fd, packets)
        if (round >= 0) times.push(Math.max(...took))
      }
    for (const { sharing, loaded } of programs) {
      const own = cases.filter(c => c.sharing === sharing).map(c => c.times.toSorted((a, b) => a - b))
      const cells = own.map(t => `${t[Math.floor(t.length / 2)]} (${t[0]})`)
      rows.push([name, sharing, ...cells])
      loaded.close()
    }
  }
  for (const w of workers) await w.terminate()
  process.stdout.write(
    `${formatTable([['program', 'form', '1 CPU', '2 CPUs, one flow', '2 CPUs, two flows'], ...rows], 'llrrr')}\n` +
      `ns a packet on the slower CPU, median (lowest) of ${values.rounds} rounds of ${values.repeat}\n`,
  )
}
