/** What kernels before 6.9 and older instruction sets get, forced on this one: bounded loops, no 32-bit jumps. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { classes, jumps } from '../../src/backend/ebpf/opcodes.js'
import { isLabel } from '../../src/backend/ebpf/asm.js'
import { openCapture } from '../../src/device/capture.js'
import { PacketStore, loadPackets } from '../../src/engine/packets.js'
import { instructionSet } from '../../src/sys/features.js'
import { root } from '../../tools/sources.js'
import { bundledProgram, trialNames } from '../programs.js'
import { assemble } from '../../src/compile.js'
import { randomCase } from '../backend/random-program.js'
import { agree } from './agree.js'
import { bytecode, withoutPrograms } from './machine.js'
import { replicasAgree } from './replicas.js'

const seed = 1n
/** Whether the kernel has signed division and sign extension; those of 6.6 and later. */
const newest = !withoutPrograms && instructionSet() >= 4
const old = { cpu: 'v2', loops: 'bounded' } as const
const capture = join(root, 'programs/demo/knocking.pcap')
const all = loadPackets((memory, workspace) => openCapture(capture, { memory, workspace }))

for (const name of trialNames)
  test(`${name}: verified and right without may_goto and 32-bit jumps`, { skip: withoutPrograms }, () => {
    const store = new PacketStore('the first packets')
    for (let k = 0; k < 200; k++) {
      const { bytes, originalLength, timestamp, device } = all.packet(k)
      store.add(bytes, originalLength, timestamp, device)
    }
    const subject = bundledProgram(name)
    const { verified } = agree(subject, store, seed, old)
    assert.ok(verified < 1_000_000)
    for (const i of bytecode(subject, old).code.code) {
      if (isLabel(i)) continue
      assert.notEqual(i.code & 7, classes.jmp32)
      assert.notEqual(i.code, classes.jmp | jumps.jcond)
    }
  })

for (const name of trialNames)
  test(
    `${name}: workers verified and right without may_goto and 32-bit jumps`,
    { skip: withoutPrograms },
    () => {
      const subject = bundledProgram(name)
      const store = new PacketStore('the first packets')
      for (let k = 0; k < 200; k++) {
        const { bytes, originalLength, timestamp, device } = all.packet(k)
        store.add(bytes, originalLength, timestamp, device)
      }
      const { verified, packets } = replicasAgree(subject, store, { workers: 7, seed, form: old })
      assert.ok(verified < 1_000_000)
      assert.ok(packets > 150)
    },
  )

test(
  'random IR programs agree with the interpreter at the oldest level and at the newest',
  { skip: withoutPrograms },
  () => {
    for (let n = 1; n <= 12; n++) {
      const { program, store } = randomCase(100 + n)
      const compiled = assemble(program)
      const rules = new Uint8Array(compiled.artifact.rulesLayout.size)
      agree({ ...compiled, rules }, store, seed, old)
      if (newest) agree({ ...compiled, rules }, store, seed, { cpu: 'v4', loops: 'may_goto' })
    }
  },
)
