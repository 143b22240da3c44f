/**
 * Ways for packets of one core into XDP drop over a veth pair, side by side: `sudo node dist/bench/live-ways.js [--only words] [--count n] [--rounds n] [--json]`.
 *
 * All make frames by the kernel's live-frames test run, without pacing or copying a packet, so that what differs is how a
 * frame gets from there to the other end: by a device map, by an index, as verdict transmit, to several devices at once; in
 * batches of 16 to 256; received in the sender's own call, or by a thread of the kernel on another CPU. `no device` drops
 * the frames where they are made: what making them costs. Every way takes its turn in each round.
 */

import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { call, exit, ldMap, mov64, r0, r1, r2, r3 } from '../src/backend/ebpf/asm.js'
import type { Code } from '../src/backend/ebpf/asm.js'
import { encode, link } from '../src/backend/ebpf/encode.js'
import { up } from '../src/lab/lab.js'
import { readEnvironment } from '../src/measure/environment.js'
import { formatRecords, makeRecord } from '../src/measure/record.js'
import { takeRounds } from '../src/measure/rounds.js'
import { onlineCpus, pinThread } from '../src/sys/cpus.js'
import { LiveFrameRun, park } from '../src/sys/live-frames.js'
import { createMap } from '../src/sys/map.js'
import { loadProgram } from '../src/sys/program.js'
import { threadTime } from '../src/sys/thread-time.js'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '400000' },
    rounds: { type: 'string', default: '7' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
})
const count = Number(values.count)
const cpus = onlineCpus()
/** How far a call goes before the thread's other work has its turn. */
const framesPerCall = 16_384
const [DROP, TX] = [1, 3]
const BROADCAST = 8

const name = `ways${process.pid}`.slice(0, 12)
const lab = up({
  namespaces: { sender: {}, sink: {}, spare: {} },
  pairs: [
    ...['a', 'b', 'c'].map(
      letter =>
        ({
          ends: [
            { namespace: 'sender', device: letter, xdp: 'pass' },
            { namespace: 'sink', device: `${name}${letter}`, xdp: 'drop' },
          ],
        }) as const,
    ),
    {
      ends: [
        { namespace: 'spare', device: 'near' },
        { namespace: 'spare', device: 'far' },
      ],
    } as const,
  ],
})
const index = (letter: string): number => lab.interface('sender', letter).index

/** Redirects to entry 0, or to all entries, of a map of devices. */
function byMap(letters: readonly string[]): { readonly code: Code; readonly devices: readonly number[] } {
  const flags = letters.length > 1 ? BROADCAST : DROP
  return {
    code: [ldMap(r1, 'devices'), mov64.imm(r2, 0), mov64.imm(r3, flags), call('redirect_map'), exit()],
    devices: letters.map(index),
  }
}

interface Way {
  readonly name: string
  readonly code: Code
  readonly devices?: readonly number[]
  readonly batch: number
  readonly ingress?: number
  /** Devices that packets arrive at. */
  readonly sinks: readonly string[]
  /** Receives on a thread of the kernel, on this CPU. */
  readonly thread?: number
}

const verdict = (n: number): Code => [mov64.imm(r0, n), exit()]
const one = byMap(['a'])
const all: readonly Way[] = [
  { name: 'no device: frames made and dropped', code: verdict(DROP), batch: 256, sinks: [] },
  ...[16, 64, 256].map(batch => ({ name: 'device map', ...one, batch, sinks: ['a'] })),
  {
    name: 'index',
    code: [mov64.imm(r1, index('a')), mov64.imm(r2, 0), call('redirect'), exit()],
    batch: 256,
    sinks: ['a'],
  },
  { name: 'transmit', code: verdict(TX), batch: 256, ingress: index('a'), sinks: ['a'] },
  { name: 'device map, broadcast to 2', ...byMap(['a', 'b']), batch: 256, sinks: ['a', 'b'] },
  { name: 'device map, broadcast to 3', ...byMap(['a', 'b', 'c']), batch: 256, sinks: ['a', 'b', 'c'] },
  {
    name: 'device map, received on a thread of the same CPU',
    ...one,
    batch: 256,
    sinks: ['a'],
    thread: cpus[0],
  },
  ...(cpus.length > 1
    ? [64, 256].map(batch => ({
        name: 'device map, received on a thread of another CPU',
        ...one,
        batch,
        sinks: ['a'],
        thread: cpus[1],
      }))
    : []),
]

const ways = all.filter(way => `${way.name} ${way.batch}`.includes(values.only))

const received = (sinks: readonly string[]): number =>
  sinks.reduce((sum, s) => sum + lab.interface('sink', `${name}${s}`).counters.receivedPackets, 0)

async function threaded(on: boolean, cpu: number): Promise<void> {
  const device = `${name}a`
  await lab.run('sink', ['sh', '-c', `echo ${on ? 1 : 0} > /sys/class/net/${device}/threaded`])
  if (!on) return
  for (const pid of readdirSync('/proc').filter(p => /^\d+$/.test(p)))
    if (commandOf(pid).startsWith(`napi/${device}`)) await lab.run('sink', ['taskset', '-pc', `${cpu}`, pid])
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8')
  } catch {
    return ''
  }
}

interface Sample {
  readonly rate: number
  readonly work: number
}

/** A way that is ready to send; all share one spare device, so that no run waits for the dispatcher. */
function open({ code, devices, batch, ingress, sinks, thread }: Way) {
  const map = createMap({ type: 'devmap', name: 'ways', keySize: 4, valueSize: 4, maxEntries: 4 })
  // A device's index means something in its own namespace only, here and where the program runs.
  lab.inNamespace('sender', () => devices?.forEach((device, k) => map.update(u32(k), u32(device))))
  const program = loadProgram({
    type: 'xdp',
    name: 'ways',
    instructions: link(encode(code), new Map([['devices', map.fd]])),
    licence: 'Apache-2.0',
  })
  const frames = new LiveFrameRun(program, {
    data: new Uint8Array(64),
    batch,
    ...(ingress !== undefined && { ingress: { interfaceIndex: ingress, queue: 0 } }),
  })
  const close = (): void => [program, map].forEach(object => object.close())
  const take = async (): Promise<Sample> => {
    const parked = lab.inNamespace('spare', () => park(program, lab.interface('spare', 'near').index))
    try {
      if (thread !== undefined) await threaded(true, thread)
      lab.inNamespace('sender', () => frames.run(framesPerCall))
      await setTimeout(20)
      const [before, began, wall] = [received(sinks), threadTime(), process.hrtime.bigint()]
      lab.inNamespace('sender', () => {
        for (let sent = 0; sent < count; sent += framesPerCall)
          frames.run(Math.min(framesPerCall, count - sent))
      })
      const [work, seconds] = [Number(threadTime() - began), Number(process.hrtime.bigint() - wall) / 1e9]
      await setTimeout(20)
      const arrived = sinks.length === 0 ? count : received(sinks) - before
      return { rate: arrived / seconds / 1e6, work: work / arrived }
    } finally {
      parked.close()
      if (thread !== undefined) await threaded(false, 0)
    }
  }
  return { take, close }
}

const u32 = (n: number): Uint8Array<ArrayBuffer> => new Uint8Array(new Uint32Array([n]).buffer)

const opened = ways.map(open)
try {
  pinThread([cpus[0]])
  const environment = readEnvironment()
  const { samples, disturbed } = await takeRounds(
    opened.map(way => way.take),
    { rounds: Number(values.rounds), warmup: 1 },
  )
  const records = ways.flatMap(({ name: title, batch }, k) => {
    const about = { name: title, parameters: { batch, count }, environment, disturbed }
    return [
      makeRecord({ ...about, unit: 'Mpps', better: 'higher', samples: samples[k].map(s => s.rate) }),
      makeRecord({ ...about, unit: 'ns/packet', better: 'lower', samples: samples[k].map(s => s.work) }),
    ]
  })
  process.stdout.write(values.json ? `${JSON.stringify(records)}\n` : formatRecords(records))
} finally {
  for (const way of opened) way.close()
  lab.down()
}
