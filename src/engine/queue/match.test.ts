import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMatch } from './match.js'

test('conditions of one direction, joined by and', () => {
  assert.deepEqual(parseMatch('udp dst port 53'), {
    text: 'udp dst port 53',
    protocol: 17,
    destinationPort: 53,
  })
  assert.deepEqual(parseMatch(' ip and tcp  src net 10.0.0.0/8 and dst host 192.0.2.1 '), {
    text: 'ip and tcp src net 10.0.0.0/8 and dst host 192.0.2.1',
    family: 4,
    protocol: 6,
    source: { bytes: Uint8Array.of(10, 0, 0, 0), prefix: 8 },
    destination: { bytes: Uint8Array.of(192, 0, 2, 1), prefix: 32 },
  })
  assert.deepEqual(parseMatch('all'), { text: 'all' })
  assert.equal((parseMatch('dst host 2001:db8::1') as { family: number }).family, 6)
})

test('what a card cannot say is refused with the reason', () => {
  const refused = (text: string, reason: RegExp): void =>
    assert.match((parseMatch(text) as { error: string }).error, reason, text)
  refused('udp port 53', /say src port or dst port/)
  refused('udp dst port 53 or tcp dst port 53', /cannot say or/)
  refused('dst port 53', /ports belong to a protocol/)
  refused('icmp dst port 1', /ports belong to a protocol/)
  refused('udp dst port 70000', /70000 is no port/)
  refused('udp and tcp', /two of protocol/)
  refused('ip6 src host 10.0.0.1', /two of IP version/)
  refused('src host 10.0.0.256', /no address/)
  refused('src net 10.0.0.0/33', /no network/)
  refused('dst', /after dst comes/)
  refused('dst vlan 3', /not vlan/)
  refused('', /empty/)
  refused('gre', /does not know the word gre/)
})
