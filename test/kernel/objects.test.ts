// Object files in the kernel: every program loaded from its object gives the interpreter's verdicts, bytes and state.
// Loaded by a reader of our own, which needs no libbpf; loaders.test.ts has other people's.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { testRun } from '../../src/sys/test-run.js'
import { root } from '../../tools/sources.js'
import { bundledProgram, trialNames } from '../programs.js'
import { withoutPrograms } from './machine.js'
import { agreeOn, fileOf, packetsOf, usesClock } from './object-agree.js'
import { loadObject } from './object-loader.js'

const skip = withoutPrograms

for (const name of trialNames) {
  const subject = bundledProgram(name)
  if (usesClock(subject))
    test(`${name}: its object is accepted and runs`, { skip }, () => {
      const loaded = loadObject(fileOf(subject))
      try {
        const { verdict } = testRun(loaded.program, { data: new Uint8Array(60) })
        assert.ok(verdict >= 1 && verdict <= 4, `verdict ${verdict}`)
      } finally {
        loaded.close()
      }
    })
  else
    test(`${name}: its object agrees with the interpreter`, { skip }, () => {
      const loaded = loadObject(fileOf(subject))
      try {
        const store = packetsOf(join(root, 'programs/demo/knocking.pcap'))
        const value = (section: string): Uint8Array => loaded.maps.get(section)!.lookup(new Uint8Array(4))!
        assert.ok(agreeOn(subject, store, loaded.program, loaded.object, () => value) > 100)
      } finally {
        loaded.close()
      }
    })
}
