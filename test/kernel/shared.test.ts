/** One state for all CPUs under one lock: verified, equal to the interpreter, and linearizable with CPUs contending. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCapture } from '../../src/device/capture.js'
import { loadPackets } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import { up } from '../../src/lab/lab.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { root } from '../../tools/sources.js'
import { main, run } from '../cli/hairpin.js'
import { bundledProgram, trialNames } from '../programs.js'
import { agree } from './agree.js'
import { contend, numbered } from './contend.js'
import { KernelMachine, withoutPrograms } from './machine.js'
import { withoutLab } from './probes.js'

const skip = withoutPrograms
const seed = 1n
const knocking = join(root, 'programs/demo/knocking.pcap')
const store = loadPackets((memory, workspace) => openCapture(knocking, { memory, workspace }))

for (const name of trialNames)
  test(`${name} under a lock: verified, and equal to the interpreter`, { skip }, () => {
    const { verified } = agree(bundledProgram(name), store, seed, { locked: 'whole' })
    // The verifier gives up at a million.
    assert.ok(verified <= 560_000, `the verifier walks ${verified} instructions`)
  })

const frames = numbered(store, 48)

/** What differs from the serial run in the order in which packets held the lock. */
function differences(name: string, machine: KernelMachine, packets: number): string[] {
  const { program, artifact } = bundledProgram(name)
  const { stateLayout, rulesLayout } = artifact
  const serial = new Serial(program, { stateLayout, rulesLayout, seed })
  const found: string[] = []
  const order = machine.commits()
  if (order.length !== packets) found.push(`${order.length} of ${packets} packets`)
  order.forEach(({ packet, verdict }, k) => {
    const bytes = frames[packet].slice()
    const expected = serial.process({
      bytes,
      originalLength: 0,
      timestamp: 0n,
      sequence: BigInt(k) + 1n,
      device: 0,
    })
    if (verdict !== expected) found.push(`verdict of commit ${k}`)
  })
  if (Buffer.compare(machine.state(), serial.memory.bytes) !== 0) found.push('state')
  return found
}

for (const name of ['ddos-mitigator', 'port-knocking', 'token-bucket'])
  test(`${name}: CPUs contending leave what the order of commits says`, { skip }, async () => {
    const machine = new KernelMachine(bundledProgram(name), { seed, locked: 'whole' })
    try {
      assert.deepEqual(differences(name, machine, await contend(machine.program.fd, frames)), [])
    } finally {
      machine.close()
    }
  })

test(
  'without the lock something is lost',
  { skip: skip || (onlineCpus().length < 2 && 'one CPU') },
  async () => {
    let lost = false
    // CPUs need not meet on a busy machine: they get several chances.
    for (let attempt = 0; attempt < 20 && !lost; attempt++) {
      const machine = new KernelMachine(bundledProgram('ddos-mitigator'), { seed, locked: 'broken' })
      try {
        const packets = await contend(machine.program.fd, frames)
        lost = differences('ddos-mitigator', machine, packets).length > 0
      } finally {
        machine.close()
      }
    }
    assert.ok(lost)
  },
)

test(
  'attach --strategy shared: two queues, one state, every packet counted',
  { skip: skip || withoutLab },
  async () => {
    const end = (namespace: string, device: string, address: string) => ({
      namespace,
      device,
      addresses: [address],
    })
    const lab = up({
      namespaces: { left: {}, right: {} },
      pairs: [{ ends: [end('left', 'a', '10.9.1.1/24'), end('right', 'b', '10.9.1.2/24')], queues: 2 }],
    })
    const name = `test-shared-${process.pid}`
    const hairpin = (...args: string[]) =>
      run('nsenter', [`--net=${lab.path('right')}`, process.execPath, main, ...args])
    try {
      const counting = ['attach', 'programs/ddos-mitigator.ts', 'b', '--pin', name]
      const refused = await hairpin(...counting)
      assert.equal(refused.code, 3)
      assert.match(refused.err, /b has 2 receive queues.*\n.*--strategy shared/)
      const attached = await hairpin(...counting, '--strategy', 'shared')
      assert.equal(attached.code, 0, attached.err)
      assert.match(attached.out, /all CPUs share one state: atomic additions/)
      // The program answers nobody who asks for an address.
      const known = ['ip', 'neigh', 'add', '10.9.1.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'a']
      assert.equal((await lab.run('left', known)).status, 0)
      const each = 250
      const send = `for ((i = 0; i < ${each}; i++)); do echo x > /dev/udp/10.9.1.2/9; done`
      const cpus = onlineCpus().slice(0, 2)
      const sent = await Promise.all(
        cpus.map(cpu => lab.run('left', ['taskset', '-c', String(cpu), 'bash', '-c', send])),
      )
      assert.ok(sent.every(({ status }) => status === 0))
      const { out, err } = await hairpin('state', 'b', '--json')
      const found = new RegExp(`"key":"10.9.1.1","value":\\{"packets":"${each * cpus.length}"`)
      assert.match(out, found, err)
    } finally {
      await hairpin('detach', name)
      lab.down()
    }
  },
)
