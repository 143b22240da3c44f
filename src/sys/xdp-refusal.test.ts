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
    'veth: Peer MTU is too large to set XDP': /both ends of the pair .*ip link set dev eth1 mtu 1500/,
    'MTU too large w/o XDP frags': /ip link set dev eth1 mtu 1500.*fragments/,
    'Cannot set XDP while host is implementing GRO_HW/CSUM, disable GRO_HW/CSUM first':
      /ethtool -K eth1 rx-gro-hw off/,
    "can't set XDP while LRO is on, disable LRO first": /ethtool -K eth1 lro off/,
    'too few free TX rings available': /ethtool -L eth1 combined 1/,
    'XDP is not supported with TSO': /ethtool -K eth1 tso off/,
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

test('every answer has a cause and something to do', () => {
  const answers = [
    'EBUSY',
    'EEXIST',
    'ERANGE',
    'EOPNOTSUPP',
    'ENOTSUPP',
    'ENOSYS',
    'EPERM',
    'ENODEV',
    'ENOMEM',
    'ENOSPC',
  ]
  for (const name of answers) {
    const error = explainRefusal({ ...refusal, errno: errno[name] })
    assert.ok(error.remedy, `${name}: ${error.message}`)
    assert.match(error.message, /eth1|bpf\(LINK_CREATE\)/)
  }
  const odd = explainRefusal({ ...refusal, errno: errno.EINVAL })
  assert.match(odd.message, /EINVAL, invalid argument; .*--mode generic/)
  const other = explainRefusal({ ...refusal, mode: 'generic', errno: errno.EINVAL })
  assert.match(other.message, /EINVAL, invalid argument; the driver gave no reason; ip -d link show dev eth1/)
})
