/** Live runs of strategy single behind a card's table, which is not in effect: packets of other queues do not reach the state. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { liveBalance } from '../../src/engine/live/figures.js'
import { SoloRun } from '../../src/engine/live/solo-run.js'
import { up } from '../../src/lab/lab.js'
import { dumpState, dumpToJson } from '../../src/state/dump.js'
import { stateMemory } from '../../src/state/memory.js'
import { statistics } from '../../src/sys/ethtool.js'
import { bundledProgram } from '../programs.js'
import { withoutPrograms } from './machine.js'
import { without } from './probes.js'

const skip = without('liveFrames') || withoutPrograms

test('packets by another queue than the table says are dropped and counted', { skip }, async () => {
  const lab = up({
    namespaces: { gen: {}, box: {} },
    pairs: [
      {
        queues: 4,
        staticNeighbours: true,
        ends: [
          { namespace: 'gen', device: 'a', addresses: ['10.9.8.1/24'] },
          { namespace: 'box', device: 'b', addresses: ['10.9.8.2/24'] },
        ],
      },
    ],
  })
  const subject = bundledProgram('ddos-mitigator', { ways: [] })
  const done: string[] = []
  const table = { confirm: () => void done.push('confirm'), restore: () => void done.push('restore') }
  const options = {
    settings: new Map<string, bigint>(),
    seed: 1n,
    interfaces: ['b'],
    mode: 'native',
    table,
  } as const
  const run = lab.inNamespace('box', () => new SoloRun(subject, options))
  try {
    assert.deepEqual(done, ['confirm'], 'written again when the program was there')
    // Flows of one source, which the sender's queues share by their hash.
    const { status } = await lab.run('gen', [
      process.execPath,
      '-e',
      `const { createSocket } = require('node:dgram')
       const flow = () => new Promise(done => {
         const s = createSocket('udp4')
         s.send('x', 9, '10.9.8.2', () => s.close(done))
       })
       Promise.all(Array.from({ length: 400 }, flow))`,
    ])
    assert.equal(status, 0)
    lab.inNamespace('box', () => run.detach())
    await run.settle()
    const figures = run.figures()
    const { received, drops, unaccounted } = liveBalance(figures)
    const [first, ...others] = lab.inNamespace('box', () =>
      [...statistics('b')].flatMap(([name, n]) =>
        /^rx_queue_\d+_xdp_packets$/.test(name) ? [Number(n)] : [],
      ),
    )
    assert.equal(Number(received), 400)
    assert.ok(first > 0 && others.every(n => n > 0), `${first} ${others.join(' ')}`)
    assert.equal(Number(figures.sequenced), first)
    assert.equal(
      Number(drops.get('otherQueue')),
      others.reduce((a, b) => a + b),
    )
    assert.equal(unaccounted, 0n)
    const { stateLayout } = subject.artifact
    const memory = stateMemory(new ArrayBuffer(stateLayout.size))
    memory.bytes.set(run.state())
    const [dump] = dumpState(memory, 0, stateLayout, 0n).map(dumpToJson)
    const entries = (dump as { entries: { key: string; value: object }[] }).entries
    assert.deepEqual(
      entries.map(e => [e.key, Object.values(e.value)]),
      [['10.9.8.1', [`${first}`]]],
    )
    assert.deepEqual(done, ['confirm', 'restore'])
  } finally {
    run.close()
    lab.down()
  }
})
