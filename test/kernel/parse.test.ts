/** What parsing costs in the kernel: comparisons with the packet's end before state is touched, counted on the bytecode. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundledProgram, trialNames } from '../programs.js'
import { bytecode } from './machine.js'
import { parseOnly } from './step.js'

/** The port of key-value-cache, which looks at no other. */
const service = 11_311

/** Ethernet, IPv4 without options, then TCP with 12 bytes of options or UDP, then payload: 192 bytes. */
function frame(protocol: 'tcp' | 'udp'): Uint8Array {
  const bytes = new Uint8Array(192)
  const view = new DataView(bytes.buffer)
  view.setUint16(12, 0x0800)
  view.setUint8(14, 0x45)
  view.setUint16(16, 178)
  view.setUint8(22, 64)
  view.setUint8(23, protocol === 'tcp' ? 6 : 17)
  view.setUint32(26, 0x0a000001)
  view.setUint32(30, 0x0a000002)
  view.setUint16(34, 4660)
  view.setUint16(36, service)
  if (protocol === 'tcp') view.setUint16(46, 0x8010)
  else {
    view.setUint16(38, 158)
    // A request to read.
    view.setUint8(42, 1)
  }
  return bytes
}

for (const name of trialNames)
  for (const protocol of ['tcp', 'udp'] as const)
    test(`${name}: ${protocol}, one check of the length per header at most`, () => {
      const program = bundledProgram(name)
      const { code } = bytecode(program)
      const main = code.functions.find(f => f.name === 'main')
      const settings = program.program.settings.map(s => s.default)
      const { endComparisons } = parseOnly(main?.code ?? code.code, frame(protocol), settings)
      const headers = ['Ethernet', 'IPv4', protocol].length
      assert.ok(endComparisons <= headers, `${endComparisons} comparisons`)
    })

test('a check of the length is counted', () => {
  const { code } = bytecode(bundledProgram('forwarder'))
  const { endComparisons, instructions } = parseOnly(code.code, frame('tcp'), [])
  assert.deepEqual([endComparisons, instructions > 1], [1, true])
})
