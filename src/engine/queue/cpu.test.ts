import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuWarnings, readInterrupts, readTicks } from './cpu.js'

test('ticks and device interrupts of each CPU', () => {
  const ticks = readTicks('cpu  9 9 9 9\ncpu0 10 0 20 70 5 0 1 0 0 0\ncpu12 1 1 1 1 0 0 0 0 0 0\nintr 7\n')
  assert.deepEqual([...ticks], [[0, [106, 75]], [12, [4, 1]]]) // prettier-ignore
  const interrupts = readInterrupts(
    '           CPU0       CPU3\n 24:        100          7   PCI-MSI eth0-rx\n 25:  1  2  x\nLOC: 900 900 timer\n',
  )
  assert.deepEqual([...interrupts], [[0, 101], [3, 9]]) // prettier-ignore
  assert.deepEqual([...readTicks('')], [])
  assert.deepEqual([...readInterrupts('')], [])
})

test('a busy CPU and its interrupts are warned about', () => {
  const said = cpuWarnings({ cpu: 3, busy: 0.5, interrupts: 9000 }, 3, 'no such device').join('\n')
  assert.match(said, /CPU 3 is 50 % busy/)
  assert.match(said, /9000 device interrupts/)
  assert.deepEqual(cpuWarnings({ cpu: 3, busy: 0.01, interrupts: 3 }, 3, 'no such device'), [])
})
