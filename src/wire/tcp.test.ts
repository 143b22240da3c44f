import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { parseTcp, printTcp } from './tcp.js'

const syn = hex('b361 1f90 6932e0c5 00000000 a002 3908 4531 0000 020405b40402080a008a93c40000000001030307')

test('a TCP header with options', () => {
  const view = parseTcp(syn, 0)!
  assert.equal(view.next, 40)
  assert.equal(view.fields.sourcePort, 45921)
  assert.equal(view.fields.destinationPort, 8080)
  assert.equal(view.fields.sequenceNumber, 0x6932e0c5)
  assert.equal(view.fields.dataOffset, 10)
  assert.equal(view.fields.flags, 2)
  assert.equal(view.fields.syn, true)
  assert.equal(view.fields.ack, false)
  assert.equal(view.fields.window, 14600)
  assert.equal(printTcp(view), 'TCP 45921 > 8080, SYN, sequence 1764942021, window 14600, options')
})

test('every flag has its bit', () => {
  const flags = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr'] as const
  flags.forEach((name, bit) => {
    const bytes = syn.slice()
    bytes[13] = 1 << bit
    const { fields } = parseTcp(bytes, 0)!
    assert.deepEqual(
      flags.filter(f => fields[f]),
      [name],
    )
  })
})

test('an impossible length or a header cut off: no view', () => {
  assert.equal(parseTcp(syn.subarray(0, 39), 0), undefined)
  assert.equal(parseTcp(syn.subarray(0, 19), 0), undefined)
  const short = syn.slice()
  short[12] = 0x40
  assert.equal(parseTcp(short, 0), undefined)
})
