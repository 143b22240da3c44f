import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errno } from './errno.js'
import { SystemError, Unsupported } from './failure.js'
import { explainRefusal } from './xdp-refusal.js'

const refusal = {
  mode: 'native',
  device: 'eth1',
  driver: 'ixgbe',
  mtu: 9000,
  present: '',
  kernelText: undefined,
} as const

test('a driver without native XDP is a missing feature with a way out', () => {
  const error = explainRefusal({
    ...refusal,
    errno: errno.EOPNOTSUPP,
    kernelText: 'Underlying driver does not support XDP in native mode',
  })
  assert.ok(error instanceof Unsupported)
  assert.equal(
    error.message,
    'native XDP on eth1 needs a driver that implements it, found driver ixgbe, which answers: Underlying driver does not support XDP in native mode; use generic mode (--mode generic), which works on every device and is slower',
  )
})

test('a program that is there is named', () => {
  const error = explainRefusal({ ...refusal, errno: errno.EBUSY, present: 'native program 7 (firewall)' })
  assert.ok(error instanceof SystemError)
  assert.match(error.reason!, /native program 7 \(firewall\)/)
  assert.match(error.remedy!, /hairpin detach eth1/)
})

test('words of drivers become advice', () => {
  const advice = {
    'veth: Peer MTU is too large to set XDP': /ip link set dev eth1 mtu 1500/,
    'Cannot set XDP while host is implementing GRO_HW/CSUM, disable GRO_HW/CSUM first':
      /ethtool -K eth1 gro off/,
    'too few free TX rings available': /ethtool -L eth1 combined 1/,
  }
  for (const [kernelText, remedy] of Object.entries(advice)) {
    const error = explainRefusal({ ...refusal, errno: errno.EOPNOTSUPP, kernelText })
    assert.ok(error instanceof SystemError)
    assert.match(error.remedy!, remedy)
    assert.ok(error.reason!.includes(kernelText))
  }
  const silent = explainRefusal({ ...refusal, errno: errno.ERANGE })
  assert.match(silent.message, /its MTU of 9000 is too large/)
})
