import assert from 'node:assert/strict'
import { release } from 'node:os'
import { test } from 'node:test'
import { describeFeature, features, hasFeature, hasHelper, instructionSet } from '../../src/sys/features.js'
import { exit, instructionBytes, moveImmediate } from '../../src/sys/instruction.js'
import { openRawTracepoint } from '../../src/sys/link.js'
import { loadProgram } from '../../src/sys/program.js'
import { judge } from '../requires.js'
import { withoutBpf } from './probes.js'

const skip = withoutBpf

test('this kernel has every feature that its version promises', { skip }, t => {
  for (const feature of features) {
    const { text, since } = describeFeature(feature)
    const found = hasFeature(feature) ? 'present' : 'absent'
    const verdict = judge(text, since, () => found, { platform: process.platform, release: release() })
    assert.deepEqual(verdict !== undefined && 'failure' in verdict ? verdict.failure : '', '')
    if (verdict !== undefined) t.diagnostic(`${text}: ${found}`)
  }
  assert.equal(instructionSet(), hasFeature('instructions4') ? 4 : 3)
})

test('helpers are told apart from those that do not exist or are not for XDP', { skip }, () => {
  const [lookup, redirectMap, skbLoadBytes, none] = [1, 51, 26, 9999]
  assert.deepEqual([lookup, redirectMap, skbLoadBytes, none].map(hasHelper), [true, true, false, false])
})

test('a program at a tracepoint', { skip }, () => {
  const instructions = instructionBytes([moveImmediate(0, 0), exit])
  const program = loadProgram({ type: 'raw_tracepoint', name: 'test_trace', instructions, licence: 'GPL' })
  openRawTracepoint(program, 'xdp_cpumap_enqueue').close()
  assert.throws(() => openRawTracepoint(program, 'no_such_tracepoint'), /no tracepoint no_such_tracepoint/)
  program.close()
})
