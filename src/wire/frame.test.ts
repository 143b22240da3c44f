import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { dissect, printFrame } from './frame.js'

const ethernet = '020000000002 020000000001'
const udp = (ports: string, payload: string): string => {
  const bytes = payload.replace(/\s/g, '').length / 2
  const word = (n: number): string => n.toString(16).padStart(4, '0')
  return `4500 ${word(28 + bytes)} 0000 0000 4011 0000 0a000001 0a000002 ${ports} ${word(8 + bytes)} 0000 ${payload}`
}

test('two tags are looked through, a third is not', () => {
  const tagged = (tags: string): Uint8Array => hex(`${ethernet} ${tags} 0800 ${udp('0001 0002', '')}`)
  assert.equal(dissect(tagged('88a8 0064 8100 00c8')).transport?.udp?.fields.destinationPort, 2)
  const three = dissect(tagged('88a8 0064 8100 00c8 8100 012c'))
  assert.deepEqual(
    three.tags.map(t => t.fields.identifier),
    [100, 200],
  )
  assert.equal(three.ipv4, undefined)
})

test('a later fragment has no transport header', () => {
  const frame = dissect(hex(`${ethernet} 0800 ${udp('0001 0002', '').replace('0000 0000', '0000 0001')}`))
  assert.equal(frame.ipv4?.fields.fragmentOffset, 1)
  assert.equal(frame.transport?.udp, undefined)
})

test('a payload ends where the shortest length says, not at the padding', () => {
  const frame = dissect(hex(`${ethernet} 0800 ${udp('0001 0002', 'aabbcc')} 0000000000`))
  assert.deepEqual(frame.transport?.payload, { start: 42, end: 45 })
})

test('VXLAN: the inner frame, printed indented', () => {
  const inner = `${ethernet} 0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002`
  const frame = dissect(hex(`${ethernet} 0800 ${udp('c000 12b5', `08000000 00007b00 ${inner}`)}`))
  assert.deepEqual(printFrame(frame), [
    'Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02, type Ipv4',
    '  IPv4 10.0.0.1 > 10.0.0.2, Udp, ttl 64, length 78',
    '    UDP 49152 > 4789, length 58, no checksum',
    '      VXLAN network 123',
    '        Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02, type Arp',
    '          ARP 10.0.0.1 (02:00:00:00:00:01) asks for 10.0.0.2 (00:00:00:00:00:00)',
  ])
})

test('no bytes make dissect throw', () => {
  const bytes = hex(`${ethernet} 8100 0001 0800 ${udp('c000 12b5', '08000000 00007b00 0102')}`)
  for (let length = 0; length <= bytes.length; length++)
    for (let at = 0; at < length; at += 3) {
      const damaged = bytes.slice(0, length)
      damaged[at] ^= 0xff
      printFrame(dissect(damaged))
    }
})
