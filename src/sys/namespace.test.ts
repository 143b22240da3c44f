import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errno } from './errno.js'
import { Unsupported } from './failure.js'
import { enterNewNamespace, inNamespace } from './namespace.js'
import { withFakeKernel } from './testing.js'

const skip = process.platform === 'linux' ? false : 'no namespaces here'
const here = '/proc/self/ns/net'

test('a function runs between going and coming back, also when it throws', { skip }, () => {
  withFakeKernel({ other: { setns: () => 0 } }, fake => {
    assert.equal(
      inNamespace(here, () => fake.calls.length),
      1,
    )
    assert.throws(() => inNamespace(here, () => assert.fail('inside')), /inside/)
    assert.deepEqual(fake.calls, ['setns', 'setns', 'setns', 'setns'])
  })
})

test('what would go on after coming back is refused', { skip }, () => {
  withFakeKernel({ other: { setns: () => 0 } }, () =>
    assert.throws(() => inNamespace(here, async () => {}), /synchronous/),
  )
})

test('without privilege nothing runs', { skip }, () => {
  const refuse = (): number => -errno.EPERM
  withFakeKernel({ other: { setns: refuse, unshare: refuse } }, fake => {
    assert.throws(() => inNamespace(here, () => assert.fail('inside')), Unsupported)
    assert.deepEqual(fake.calls, ['setns'])
    assert.throws(enterNewNamespace, /needs root, found an unprivileged user/)
    assert.throws(() => inNamespace('/nowhere', () => {}), /no such network namespace/)
  })
})
