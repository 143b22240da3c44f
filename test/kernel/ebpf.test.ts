/** Compiled programs in the kernel: its verifier accepts them, and they do what the reference interpreter does. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCapture } from '../../src/device/capture.js'
import { loadPackets } from '../../src/engine/packets.js'
import type { PacketStore } from '../../src/engine/packets.js'
import { programInfo } from '../../src/sys/info.js'
import { root } from '../../tools/sources.js'
import { bundledProgram, trialNames } from '../programs.js'
import { scenarioFolder, subjectOf } from '../scenario/case.js'
import type { Settings } from '../scenario/case.js'
import { agree } from './agree.js'
import { KernelMachine, bytecode, withoutPrograms } from './machine.js'

const skip = withoutPrograms
const seed = 1n

/**
 * Slots of bytecode, instructions the verifier walks, bytes of x86-64 code: ceilings, a little above what was last
 * measured. Code differs by a few percent with what a processor can do and must be kept from.
 */
const ceilings: Readonly<Record<string, { slots: number; verified: number; jited: number }>> = {
  'busy-forwarder': { slots: 70, verified: 90, jited: 340 },
  'connection-tracker': { slots: 2215, verified: 84_000, jited: 10_700 },
  'ddos-mitigator': { slots: 530, verified: 990, jited: 2700 },
  'dns-flood': { slots: 985, verified: 2950, jited: 4950 },
  forwarder: { slots: 20, verified: 22, jited: 90 },
  'heavy-hitter': { slots: 655, verified: 2150, jited: 3400 },
  'key-value-cache': { slots: 1400, verified: 5600, jited: 7150 },
  'port-knocking': { slots: 606, verified: 1850, jited: 3150 },
  'prefix-forwarder': { slots: 460, verified: 1430, jited: 2200 },
  'source-nat': { slots: 2265, verified: 13_900, jited: 11_400 },
  'token-bucket': { slots: 1010, verified: 3550, jited: 5200 },
}

const packetsOf = (capture: string): PacketStore =>
  loadPackets((memory, workspace) => openCapture(capture, { memory, workspace }))

for (const name of trialNames)
  test(`${name}: verified, and equal to the interpreter on the bundled capture`, { skip }, () => {
    const capture = packetsOf(join(root, 'programs/demo/knocking.pcap'))
    const { verified, jited } = agree(bundledProgram(name), capture, seed)
    assert.ok(verified <= ceilings[name].verified, `the verifier walks ${verified} instructions`)
    if (process.arch === 'x64') assert.ok(jited <= ceilings[name].jited, `${jited} bytes of machine code`)
  })

for (const name of trialNames)
  test(`${name}: size of the bytecode`, () => {
    const slots = bytecode(bundledProgram(name)).code.encoded.bytes.length / 8
    assert.ok(slots <= ceilings[name].slots, `${slots} slots`)
  })

for (const name of readdirSync(scenarioFolder)) {
  const folder = join(scenarioFolder, name)
  if (!existsSync(join(folder, 'settings.json'))) continue
  const settings = JSON.parse(readFileSync(join(folder, 'settings.json'), 'utf8')) as Settings
  if (!trialNames.includes(settings.program)) continue
  test(`scenario ${name}: equal to the interpreter`, { skip }, () => {
    agree(subjectOf(settings), packetsOf(join(folder, 'in.pcap')), seed)
  })
}

const bpftool = spawnSync('bpftool', ['version']).status === 0

test(
  'bpftool shows the source lines of a loaded program',
  { skip: skip || (!bpftool && 'no bpftool') },
  () => {
    const machine = new KernelMachine(bundledProgram('port-knocking'), { seed })
    try {
      const { id } = programInfo(machine.program)
      const dump = spawnSync('bpftool', ['prog', 'dump', 'xlated', 'id', String(id)], { encoding: 'utf8' })
      assert.match(dump.stdout, /int portKnocking\(struct xdp_md \* ?ctx\):/)
      assert.match(dump.stdout, /; const before = knocks\.get\(ip\.source\) \?\? CLOSED_1/)
      assert.match(dump.stdout, /knocks_insert\(/)
    } finally {
      machine.close()
    }
  },
)
