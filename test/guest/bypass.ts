// hairpin bypass on one queue of the card: out of its indirection table and back, while the others serve the kernel.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { scaling } from '../../src/sys/ethtool.js'
import { interfaces } from '../../src/sys/interfaces.js'
import { check, equal } from './checks.js'
import { Command } from './command.js'
import type { Event } from './command.js'
import { query } from './frames.js'
import { byQueue } from './kernel-workers.js'
import { ask, send } from './orders.js'

const queue = 5
const questions = 800
/** Few at a time, so that the server's socket holds them. */
const portion = 80
const program = 'programs/dns-flood.ts'
const flags = ['--queue', `${queue}`, '--steer', 'udp dst port 53', '--cpu', 'any', program]

const table = (): readonly number[] => scaling('eth0')?.indirection ?? []
const queries = Array.from({ length: 400 }, (_, k) => query(k))

/** How many UDP packets came to a port of this machine. */
async function countingServer(port: number): Promise<{ count: () => number; close: () => void }> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
  let count = 0
  socket.on('message', () => count++)
  socket.bind(port)
  await once(socket, 'listening')
  return { count: () => count, close: () => socket.close() }
}

/** TCP and ping through the kernel, over all queues that the hash gives them. */
async function serves(what: string): Promise<void> {
  const { answered } = await ask({ do: 'talk', connections: 24, port: 7 })
  const pings = await ask({ do: 'ping', count: 2 })
  equal([answered, pings.answered], [24, 2], `${what}: TCP connections and pings answered`)
}

const secondOf = (bypass: Command): Event | undefined => bypass.events.findLast(e => e.event === 'second')

/** Questions of 400 sources; what the bypass has taken when they are through. */
async function flood(bypass: Command): Promise<{ taken: number; elsewhere: number }> {
  const { sent } = await send(queries, questions, () => byQueue().reduce((a, b) => a + b, 0), portion)
  if (sent !== questions) throw new Error(`${sent} were sent`)
  const seen = bypass.events.length
  await bypass.until(e => e.event === 'second' && bypass.events.indexOf(e) > seen)
  const { taken, elsewhere } = secondOf(bypass) as unknown as { taken: number; elsewhere: number }
  return { taken, elsewhere }
}

export async function bypass(): Promise<void> {
  const echo = createServer(socket => socket.on('error', () => {}).pipe(socket))
  echo.listen(7)
  await once(echo, 'listening')
  const names = await countingServer(53)
  const before = table()
  const others = [0, 1, 2, 3, 4, 6, 7]
  try {
    await serves('before')
    equal([...new Set(before)].toSorted(), [0, 1, 2, 3, 4, 5, 6, 7], 'queues in the table before')

    const isolated = new Command('bypass', 'eth0', '--isolate', ...flags)
    const opened = await isolated.until(e => e.event === 'opened')
    equal([opened.xdp, opened.steering], ['native', 'xdp'], 'XDP, and who steers')
    equal([...new Set(table())].toSorted(), others, `queues in the table while queue ${queue} is bypassed`)
    await serves('meanwhile')
    const during = await flood(isolated)
    for (let k = 0; k < 100 && names.count() < questions; k++) await pause(50)
    equal(
      [during.taken, during.elsewhere, names.count()],
      [0, questions, questions],
      'questions that came to the queue, to others, and to the server by the kernel',
    )
    equal((await isolated.end('SIGINT')).code, 130, 'ended by Ctrl-C')
    equal(table(), before, 'the table afterwards')

    // Without --isolate the queue keeps its share of the traffic, and the program has the questions among it.
    const sharing = new Command('bypass', 'eth0', ...flags)
    await sharing.until(e => e.event === 'opened')
    equal(table(), before, 'the table of a bypass that does not isolate')
    await serves('with a shared queue')
    const shared = await flood(sharing)
    check(
      shared.taken > questions / 40 && shared.taken + shared.elsewhere === questions,
      `questions that came to queue ${queue}, of ${questions}`,
      `${shared.taken}`,
    )
    const { last } = await sharing.end('SIGINT')
    equal(last?.unaccounted, 0, 'unaccounted')

    const killed = new Command('bypass', 'eth0', '--isolate', ...flags)
    await killed.until(e => e.event === 'opened')
    equal(table().includes(queue), false, 'the queue is out of the table')
    await killed.end('SIGKILL')
    for (let k = 0; k < 60 && table().join() !== before.join(); k++) await pause(200)
    equal(table(), before, 'the table after SIGKILL')
    equal(
      interfaces().map(i => i.name),
      ['lo', 'eth0', 'eth1'],
      'interfaces after SIGKILL',
    )
    await pause(1500)
    await serves('after SIGKILL')
  } finally {
    echo.close()
    names.close()
  }
}
