// The network of an emulated machine: a namespace of this process's own with two taps in it, and somebody there who
// does what the machine asks for.
//
//   namespace without a name: tap `wire` ── eth0 of the machine, several queues, hashed and spread by a table
//                             tap `order` ── eth1, by which it says what it wants sent; never traffic that is counted
//
// All of it goes with this process, however it ends: nothing else of this machine is touched.

import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { addresses, macs, orderPort } from '../../test/guest/addresses.js'
import type { Answer, Order } from '../../test/guest/addresses.js'
import { holdNewNamespace, inNamespace } from '../../src/sys/namespace.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { busybox, missing } from './needs.js'

/** Frames that the tap holds while the machine is slow; a tap with more takes them from nobody. */
const backlog = 30_000

export interface Network {
  /** Starts something there. */
  inside<T>(action: () => T): T
  /** What qemu calls its cards. */
  readonly cards: readonly string[]
  close(): void
}

export function makeNetwork(queues: number): Network {
  const held = holdNewNamespace()
  const inside = <T>(action: () => T): T => inNamespace(held.path, action)
  const ip = (...args: string[]): void => {
    const { status, stderr } = inside(() => spawnSync('ip', args, { encoding: 'utf8' }))
    if (status !== 0) missing(`ip ${args.join(' ')}: ${stderr.trim()}`)
  }
  ip('link', 'set', 'dev', 'lo', 'up')
  ip('tuntap', 'add', 'dev', 'wire', 'mode', 'tap', 'multi_queue')
  ip('tuntap', 'add', 'dev', 'order', 'mode', 'tap')
  ip('link', 'set', 'dev', 'wire', 'address', macs.host, 'txqueuelen', `${backlog}`, 'up')
  ip('link', 'set', 'dev', 'order', 'up')
  ip('address', 'add', `${addresses.host}/24`, 'dev', 'wire')
  ip('address', 'add', `${addresses.orders}/24`, 'dev', 'order')
  ip('neigh', 'add', addresses.guest, 'lladdr', macs.guest, 'nud', 'permanent', 'dev', 'wire')
  const server = createServer(socket => void serve(socket, inside))
  // Without an address it is listening when this returns: in the namespace.
  inside(() => server.listen(orderPort))
  return {
    inside,
    cards: [
      '-netdev',
      `tap,id=n1,ifname=wire,script=no,downscript=no,queues=${queues},vhost=off`,
      '-device',
      `virtio-net-pci,netdev=n1,mac=${macs.guest},mq=on,vectors=${2 * queues + 2},rss=on,hash=on,romfile=,` +
        'guest_tso4=off,guest_tso6=off,guest_ufo=off',
      '-netdev',
      'tap,id=n2,ifname=order,script=no,downscript=no,vhost=off',
      '-device',
      'virtio-net-pci,netdev=n2,romfile=',
    ],
    close() {
      server.close()
      held.close()
    },
  }
}

async function serve(socket: Socket, inside: Network['inside']): Promise<void> {
  socket.on('error', () => {})
  for await (const line of createInterface({ input: socket })) {
    let answer: Answer
    try {
      answer = await obey(JSON.parse(line) as Order, inside)
    } catch (error) {
      answer = { error: String(error) }
    }
    socket.write(`${JSON.stringify(answer)}\n`)
  }
}

async function obey(order: Order, inside: Network['inside']): Promise<Answer> {
  if (order.do === 'send') {
    const packets = order.frames.map(frame => new Uint8Array(Buffer.from(frame, 'base64')))
    // In bursts, between which this thread sleeps: the machine needs the CPU.
    const sender = inside(() =>
      openLiveSender({ packets, device: 'wire', rate: order.rate, burst: order.rate < 64 ? 1 : 64 }),
    )
    try {
      const { sent, dropped } = await sender.send(order.count)
      return { sent, dropped }
    } finally {
      sender.close()
    }
  }
  if (order.do === 'ping') return { answered: await pinged(order.count, inside) }
  return { answered: await talked(order.connections, order.port, inside) }
}

async function outputOf(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout!.on('data', (part: Buffer) => (text += part.toString()))
  await once(child, 'close')
  return text
}

const pipes: SpawnOptions = { stdio: ['ignore', 'pipe', 'inherit'] }

async function pinged(count: number, inside: Network['inside']): Promise<number> {
  const args = ['ping', '-c', `${count}`, '-W', '5', addresses.guest]
  const text = await outputOf(inside(() => spawn(busybox, args, pipes)))
  return Number(/(\d+) packets received/.exec(text)?.[1] ?? 0)
}

/** TCP connections to the machine, one after the other, that get back what they send. */
async function talked(connections: number, port: number, inside: Network['inside']): Promise<number> {
  const source = `const { connect } = require('node:net')
let answered = 0
const talk = k => new Promise(done => {
  const s = connect(${port}, '${addresses.guest}', () => s.write('to ' + k))
  s.setTimeout(10000, () => s.destroy()).on('error', () => {}).on('close', done)
  s.on('data', d => { if (String(d) === 'to ' + k) answered++; s.end() })
})
const all = async () => {
  for (let k = 0; k < ${connections}; k += 8)
    await Promise.all(Array.from({ length: 8 }, (_, j) => k + j < ${connections} && talk(k + j)))
  console.log(answered)
}
all()`
  return Number(await outputOf(inside(() => spawn(process.execPath, ['-e', source], pipes))))
}
