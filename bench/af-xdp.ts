/**
 * AF_XDP to a program that drops, beside a recipe by hand and C: millions of packets a second that arrive, of those that
 * a generator offers as fast as it can:
 * `sudo node dist/bench/af-xdp.js [--measure rate|cpu] [--receive softirq|thread] [--near ns] [--rounds n] [--packets n] [--frames n] [--json]`.
 *
 * The generator (live frames through a veth pair) is on CPU 0 and does the kernel's part too: receiving, XDP and copying
 * into packet memory. The worker is on the last CPU. All contestants have rings of the same length and count packets by
 * source address before they drop them: `hairpin` is steering, ring loops and a compiled program, `openQueue` the public
 * API with JavaScript that reads each packet, `hand` an XDP program of four instructions and one loop in WebAssembly,
 * `C` the same in C without a library, compiled by clang -O2. They run in turn on one pair of devices.
 *
 * `--measure cpu` has the processor time of the sending thread in place of the rate: generator, receiving, XDP and copying,
 * in nanoseconds a packet. It is steadier where others use the machine, and has nothing of the worker in it but
 * that whoever loses packets for want of frames saves their copies.
 *
 * `--receive thread` has the kernel's part done by a thread of its own (threaded NAPI) on the worker's CPU, for all contestants.
 *
 * Both CPUs write to the rings and the packets, so the rate follows how long a line takes between them, which a virtual
 * machine's host changes every few seconds. It is measured before and after each sample and printed; with `--near 100`
 * only samples count before and after which it was at most 100 ns, and others are waited for, at most a minute each.
 */

import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { socket as field } from '../src/backend/wasm/rings/memory.js'
import { compile } from '../src/compile.js'
import { QueueCrew } from '../src/engine/queue/crew.js'
import { layoutQueues } from '../src/engine/queue/layout.js'
import { everything } from '../src/engine/queue/match.js'
import { openPool, prepareQueues } from '../src/engine/queue/pool.js'
import { livePartsOf, makeLiveMemory, planLive } from '../src/engine/queue/program.js'
import { loadSteering } from '../src/engine/queue/steering.js'
import { workerSocket } from '../src/engine/queue/turn.js'
import { makeMemory } from '../src/engine/make-memory.js'
import { up } from '../src/lab/lab.js'
import { compare, formatComparison } from '../src/measure/compare.js'
import { single } from '../src/strategy/single.js'
import { onlineCpus } from '../src/sys/cpus.js'
import { threadTime } from '../src/sys/thread-time.js'
import { attachXdp } from '../src/sys/xdp.js'
import { openLiveSender } from '../src/traffic/live.js'
import { compilerVersion } from './baseline/build.js'
import { handModule, handSteering } from './af-xdp/hand.js'
import { openLines } from './af-xdp/lines.js'
import { receiveOn } from './af-xdp/receiving.js'

const { values } = parseArgs({
  options: {
    measure: { type: 'string', default: 'rate' },
    rounds: { type: 'string', default: '9' },
    packets: { type: 'string', default: '2000000' },
    frames: { type: 'string', default: '4096' },
    receive: { type: 'string', default: 'softirq' },
    near: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const [packets, frames, batch] = [Number(values.packets), Number(values.frames), 256]
const near = values.near === undefined ? Infinity : Number(values.near)
const isCpu = values.measure === 'cpu'
const root = fileURLToPath(new URL('../../', import.meta.url))
const cpu = onlineCpus().at(-1)!
const lab = up({
  namespaces: { left: {}, right: {} },
  pairs: [
    {
      ends: [
        { namespace: 'left', device: 'out' },
        { namespace: 'right', device: 'wire' },
      ],
    },
  ],
})
const wire = lab.interface('right', 'wire')

/** UDP over IPv4 from sixteen sources, 60 bytes. */
const frame = (k: number): Uint8Array => {
  const bytes = new Uint8Array(60)
  bytes.set([2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17])
  bytes.set([10, 77, 0, k, 10, 77, 0, 2, 0x0f, 0xa0, 0, 53, 0, 26], 26)
  return bytes
}

const program = `import { type Packet, Verdict, ipv4, table, u32 } from 'hairpin'
const sources = table({ key: ipv4, value: { packets: u32 }, capacity: 65_536 })
export default function count(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Drop
  const entry = sources.upsert(ip.source)
  if (entry) entry.packets += 1
  return Verdict.Drop
}
`

/** Packets that have arrived so far, and the end. */
interface Contestant {
  received(): number | Promise<number>
  close(): Promise<void>
}

const binding = {
  interfaceIndex: wire.index,
  queue: 0,
  mode: 'either',
  needWakeup: true,
  busyPoll: 0,
} as const

async function ours(): Promise<Contestant> {
  const { compiled } = compile('count.ts', program, { ways: [] })
  const { artifact } = compiled!
  const live = planLive(artifact, { strategy: single, cores: 1 }, { pools: 1, socketsPerPool: 1, frames, frameSize: 2048, batch }) // prettier-ignore
  if ('error' in live) throw new Error(live.error)
  const memory = makeLiveMemory(artifact, live)
  const steering = loadSteering(everything)
  const crew = new QueueCrew(livePartsOf(artifact, live, memory), live, [cpu], process.hrtime.bigint())
  const pool = await lab.inNamespace('right', () => ({ opening: openPool(memory, live.layout, 0, binding) }))
    .opening
  await crew.open(0, workerSocket(pool, 0, { receives: true, forwards: false }))
  steering.setSockets(0, pool.sockets)
  const attachment = lab.inNamespace('right', () => attachXdp(steering.program, 'wire', 'native'))
  const view = new DataView(memory.buffer)
  return {
    received: () => Number(view.getBigUint64(live.layout.places[0].sockets[0].block + field.received, true)),
    async close() {
      attachment.detach()
      await crew.stop()
      pool.close()
      steering.close()
    },
  }
}

async function byHand(): Promise<Contestant> {
  const layout = layoutQueues({
    from: 1 << 20,
    pools: 1,
    socketsPerPool: 1,
    workers: 1,
    frames,
    frameSize: 2048,
    batch,
  })
  if ('error' in layout) throw new Error(layout.error)
  const memory = makeMemory(layout.pages)
  prepareQueues(new DataView(memory.buffer), layout)
  const steering = handSteering()
  const pool = await lab.inNamespace('right', () => ({ opening: openPool(memory, layout, 0, binding) }))
    .opening
  const { block } = layout.places[0].sockets[0]
  const worker = new Worker(new URL('./af-xdp/hand-worker.js', import.meta.url), {
    workerData: {
      memory, module: handModule(), block, table: 1 << 16, fd: pool.sockets[0].fd, cpu, control: layout.control, batch,
    },
  }) // prettier-ignore
  steering.set(pool.sockets[0])
  const attachment = lab.inNamespace('right', () => attachXdp(steering.program, 'wire', 'native'))
  const words = new Int32Array(memory.buffer, layout.control, 4)
  await pause(50)
  return {
    received: () => words[1] >>> 0,
    async close() {
      attachment.detach()
      Atomics.store(words, 0, 1)
      await new Promise(resolve => worker.on('exit', resolve))
      pool.close()
      steering.close()
    },
  }
}

async function inC(): Promise<Contestant> {
  mkdirSync(join(root, 'dist/baseline'), { recursive: true })
  const file = join(root, 'dist/baseline/af-xdp-drop')
  execFileSync('clang', ['-O2', '-o', file, join(root, 'bench/baseline/af-xdp/drop.c')], { stdio: 'inherit' })
  const steering = handSteering()
  const child = lab.inNamespace('right', () =>
    spawn(file, [wire.index, 0, frames, cpu].map(String), {
      stdio: ['pipe', 'pipe', 'inherit', steering.map.fd],
    }),
  )
  const line = (): Promise<string> =>
    new Promise(resolve => child.stdout!.once('data', d => resolve(String(d))))
  await line()
  const attachment = lab.inNamespace('right', () => attachXdp(steering.program, 'wire', 'native'))
  return {
    async received() {
      const answer = line()
      child.stdin!.write('?\n')
      return Number((await answer).split(' ')[0])
    },
    async close() {
      attachment.detach()
      const ended = new Promise(resolve => child.on('close', resolve))
      child.stdin!.end()
      await ended
      steering.close()
    },
  }
}

/** The public API in a thread of its own. */
async function publicly(): Promise<Contestant> {
  const worker = new Worker(new URL('./af-xdp/open-worker.js', import.meta.url), {
    workerData: { namespace: lab.path('right'), cpu, frames },
  })
  const answer = (): Promise<number> => new Promise(resolve => worker.once('message', resolve))
  await answer()
  return {
    received() {
      const found = answer()
      worker.postMessage('?')
      return found
    },
    async close() {
      worker.postMessage('end')
      await new Promise(resolve => worker.on('exit', resolve))
    },
  }
}

/** Times that a sample is taken again because a line took too long, and ms between two looks. */
const attempts = 600
const between = 100
const lines = await openLines(0, cpu)
/** Nanoseconds of a line around each sample that counts. */
const around: number[] = []

/** One sample of what `flood` measures, before and after which a line took no longer than asked for. */
async function calmly(flood: () => Promise<number>): Promise<number> {
  for (let k = 0; k < attempts; k++, await pause(between)) {
    const before = lines.measure()
    if (before > near) continue
    const found = await flood()
    const after = lines.measure()
    if (after > near) continue
    around.push(before, after)
    return found
  }
  throw new Error(`in ${attempts} attempts no sample around which a line took at most ${near} ns`)
}

/** Millions of packets a second: what arrived of a flood, in the time it took. */
const rate = (open: () => Promise<Contestant>) => async (): Promise<number> => {
  const contestant = await open()
  if (values.receive === 'thread') lab.inNamespace('right', () => receiveOn(wire.index, cpu))
  const sender = lab.inNamespace('left', () =>
    openLiveSender({ packets: Array.from({ length: 16 }, (_, k) => frame(k)), device: 'out' }),
  )
  try {
    await sender.send(200_000)
    await pause(20)
    return await calmly(async () => {
      const before = await contestant.received()
      const began = threadTime()
      const { seconds, sent } = await sender.send(packets)
      if (isCpu) return Number(threadTime() - began) / sent
      await pause(30)
      return ((await contestant.received()) - before) / seconds / 1e6
    })
  } finally {
    sender.close()
    await contestant.close()
  }
}
try {
  const compiler = compilerVersion()
  const comparison = await compare(
    [
      { name: 'hand', run: rate(byHand) },
      ...(compiler ? [{ name: 'C', run: rate(inC) }] : []),
      { name: 'hairpin', run: rate(ours) },
      { name: 'openQueue', run: rate(publicly) },
    ],
    {
      rounds: Number(values.rounds),
      warmup: 1,
      unit: isCpu ? 'ns' : 'Mpps',
      better: isCpu ? 'lower' : 'higher',
      parameters: {
        packets,
        frames,
        batch,
        compiler: compiler ?? 'none',
        receive: values.receive,
        near: near === Infinity ? 'any' : near,
      },
      lossCriterion: 'unpaced; what did not arrive is not counted',
    },
  )
  const line = around.toSorted((a, b) => a - b)
  const [least, middle, most] = [line[0], line[line.length >> 1], line.at(-1)!].map(Math.round)
  if (values.json) console.log(JSON.stringify({ ...comparison, line: { least, middle, most } }, undefined, 2))
  else {
    console.log(formatComparison(comparison))
    console.log(`a line from CPU to CPU beside the samples: ${least} to ${most} ns, median ${middle}`)
  }
} finally {
  await lines.close()
  lab.down()
}
