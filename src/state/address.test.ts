import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from './address.js'

test('IPv4 addresses, there and back', () => {
  assert.equal(formatIpv4(0xc0000201), '192.0.2.1')
  assert.equal(parseIpv4('192.0.2.1'), 0xc0000201)
  assert.equal(parseIpv4('255.255.255.255'), 0xffffffff)
  for (const wrong of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    '1.2.3.',
    '0x1.2.3.4',
    '-1.2.3.4',
  ])
    assert.equal(parseIpv4(wrong), undefined, wrong)
})

const again = (text: string) => formatIpv6(parseIpv6(text)!)

test('IPv6 addresses print as RFC 5952 wants', () => {
  assert.deepEqual(
    [
      '2001:DB8::0:1',
      '2001:db8:0:1:1:1:1:1',
      '2001:0:0:1:0:0:0:1',
      '2001:db8:0:0:1:0:0:1',
      '::',
      '0:0:0:0:0:0:0:1',
    ].map(again),
    ['2001:db8::1', '2001:db8:0:1:1:1:1:1', '2001:0:0:1::1', '2001:db8::1:0:0:1', '::', '::1'],
  )
  assert.equal(again('::ffff:c000:201'), '::ffff:192.0.2.1')
  assert.equal(again('64:ff9b::192.0.2.33'), '64:ff9b::c000:221')
  assert.equal(again('fe80::'), 'fe80::')
})

test('what is no IPv6 address is not read', () => {
  const wrong = [
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'g::',
    '::1%eth0',
    '1.2.3.4',
    '::1.2.3',
    '1.2.3.4::',
    ':1::',
    '1:',
    '::1:',
  ]
  for (const text of wrong) assert.equal(parseIpv6(text), undefined, text)
})

test('IPv6 formatting agrees with the URL standard, which compresses the same way', () => {
  const group = fc.constantFrom(0, 0, 0, 1, 0xabc, 0xffff)
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), groups => {
      const bytes = Uint8Array.from(groups.flatMap(g => [g >> 8, g & 255]))
      const text = formatIpv6(bytes)
      assert.deepEqual(parseIpv6(text), bytes)
      if (!text.includes('.')) assert.equal(`[${text}]`, new URL(`http://[${text}]/`).hostname)
      assert.deepEqual(parseIpv6(groups.map(g => g.toString(16)).join(':')), bytes)
    }),
    { numRuns: 300 },
  )
})

test('MAC addresses, there and back', () => {
  assert.deepEqual(parseMac('02-00-5E-00-53-01'), Uint8Array.of(2, 0, 0x5e, 0, 0x53, 1))
  assert.equal(formatMac(Uint8Array.of(2, 0, 0x5e, 0, 0x53, 1)), '02:00:5e:00:53:01')
  assert.equal(parseMac('02:00:5e:00:53'), undefined)
})
