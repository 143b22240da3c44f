/** Two CPUs that run one program at the same time, by the kernel's test run. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { PacketStore } from '../../src/engine/packets.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { builtFile } from '../../tools/sources.js'

/** Frames whose first four bytes are their number. */
export function numbered(store: PacketStore, count: number): Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: count }, (_, k) => {
    const { bytes } = store.packet((k * 37) % store.count)
    const frame = new Uint8Array(new ArrayBuffer(Math.max(bytes.length, 60)))
    frame.set(bytes)
    new DataView(frame.buffer).setUint32(0, k, true)
    return frame
  })
}

/** Rounds that CPUs begin together, and packets of one in each. */
const rounds = 20

/** Runs a program on two CPUs at the same time, packets by packets; how many there were. */
export async function contend(fd: number, frames: readonly Uint8Array[], repeat = 200): Promise<number> {
  const cpus = onlineCpus()
  const threads = 2
  const started = new Int32Array(new SharedArrayBuffer(4))
  const modules = ['src/sys/test-run.ts', 'src/sys/program.ts', 'src/sys/cpus.ts']
  const script = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { frames, fd, cpu, rounds, repeat, first, threads, started } = workerData
    Promise.all([${modules.map(f => `import(${JSON.stringify(builtFile(f))})`).join(', ')}])
      .then(([{ testRun }, { BpfProgram }, { pinThread }]) => {
        pinThread([cpu])
        const program = new BpfProgram(fd, 'xdp', 'shared')
        parentPort.postMessage('ready')
        parentPort.once('message', () => {
          for (let k = 0; k < rounds; k++) {
            Atomics.add(started, 0, 1)
            while (Atomics.load(started, 0) < threads * (k + 1));
            testRun(program, { data: frames[(first + k * 7) % frames.length], repeat })
          }
          parentPort.postMessage('done')
        })
      })`
  const workers = Array.from(
    { length: threads },
    (_, k) =>
      new Worker(script, {
        eval: true,
        workerData: {
          frames,
          fd,
          cpu: cpus[k % cpus.length],
          rounds,
          repeat,
          first: k,
          threads,
          started,
        },
      }),
  )
  await Promise.all(workers.map(w => once(w, 'message')))
  const done = Promise.all(workers.map(w => once(w, 'message')))
  for (const w of workers) w.postMessage('go')
  await done
  await Promise.all(workers.map(w => w.terminate()))
  return threads * rounds * repeat
}
