/** The replicated form in the kernel: every worker's verdicts, packets and state are the serial run's. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCapture } from '../../src/device/capture.js'
import { loadReplicated, replicaCode } from '../../src/engine/kernel/replicated.js'
import { PacketStore, loadPackets } from '../../src/engine/packets.js'
import { root } from '../../tools/sources.js'
import { bundledProgram, trialNames } from '../programs.js'
import { ethernetFrames } from './corpus.js'
import { withoutPrograms } from './machine.js'
import { replicasAgree } from './replicas.js'

const skip = withoutPrograms
const seed = 1n
const counts = [1, 2, 3, 7, 14]
const hour = 3600n * 1_000_000_000n

const packetsOf = (capture: string): PacketStore =>
  loadPackets((memory, workspace) => openCapture(capture, { memory, workspace }))

/** Slots of bytecode, instructions the verifier walks, bytes of x86-64 code, of 14 workers: a little above what was last measured. */
const ceilings: Readonly<Record<string, { slots: number; verified: number; jited: number }>> = {
  'busy-forwarder': { slots: 280, verified: 750, jited: 1310 },
  'connection-tracker': { slots: 3560, verified: 106_000, jited: 16_900 },
  'ddos-mitigator': { slots: 870, verified: 2900, jited: 4280 },
  'dns-flood': { slots: 1330, verified: 5450, jited: 6600 },
  forwarder: { slots: 180, verified: 530, jited: 870 },
  'heavy-hitter': { slots: 1050, verified: 5050, jited: 5200 },
  'key-value-cache': { slots: 1950, verified: 11_800, jited: 9800 },
  'port-knocking': { slots: 985, verified: 4150, jited: 4880 },
  'prefix-forwarder': { slots: 620, verified: 2200, jited: 3000 },
  'source-nat': { slots: 3110, verified: 18_000, jited: 15_500 },
  'token-bucket': { slots: 1460, verified: 7100, jited: 7250 },
}

for (const name of trialNames)
  test(`${name}: 1 to 14 workers equal the interpreter on the bundled capture`, { skip }, () => {
    const program = bundledProgram(name)
    const packets = packetsOf(join(root, 'programs/demo/knocking.pcap'))
    for (const workers of counts) {
      const { verified, jited } = replicasAgree(program, packets, { workers, seed, outer: workers % 2 === 0 })
      assert.ok(
        verified <= ceilings[name].verified,
        `${workers} workers: the verifier walks ${verified} instructions`,
      )
      if (process.arch === 'x64')
        assert.ok(jited <= ceilings[name].jited, `${workers} workers: ${jited} bytes of machine code`)
    }
  })

/**
 * The first frames of each development capture: other protocols, tags, fragments and damage. Captures lie years apart,
 * and a frame's time has 48 bits (78 hours), so no pause is longer than an hour here.
 */
function beginnings(): PacketStore {
  const { store, captures } = ethernetFrames(4)
  assert.ok(captures > 100)
  const close = new PacketStore('first frames of every capture, an hour apart at the most')
  let [before, now] = [0n, 0n]
  for (let k = 0; k < store.count; k++) {
    const { bytes, originalLength, timestamp, device } = store.packet(k)
    const pause = timestamp - before
    now += pause < hour ? pause : hour
    before = timestamp
    close.add(bytes, originalLength, now, device)
  }
  return close
}

for (const name of trialNames)
  test(`${name}: 3 workers equal the interpreter on the first frames of every capture`, { skip }, () => {
    const { packets } = replicasAgree(bundledProgram(name), beginnings(), { workers: 3, seed })
    assert.ok(packets > 1000, `${packets} packets`)
  })

for (const name of trialNames)
  test(`${name}: size of a worker's bytecode`, () => {
    const options = { workers: 14, seed, settings: new Map<string, bigint>(), outer: true }
    const slots = replicaCode(bundledProgram(name), options).encoded.bytes.length / 8
    assert.ok(slots <= ceilings[name].slots, `${slots} slots`)
  })

test('more slots than other workers: what was handled is not applied again', { skip }, () => {
  const packets = packetsOf(join(root, 'programs/demo/knocking.pcap'))
  for (const slots of [4, 9, 16, 33, 63])
    replicasAgree(bundledProgram('port-knocking'), packets, { workers: 3, slots, seed })
})

test('workers can be entries of a CPU map', { skip }, () => {
  const options = { workers: 2, seed, settings: new Map<string, bigint>(), attachType: 'xdp_cpumap' as const }
  loadReplicated(bundledProgram('ddos-mitigator'), options).close()
})
