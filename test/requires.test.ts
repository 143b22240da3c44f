import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge } from './requires.js'

const linux = (release: string) => ({ platform: 'linux', release })

test('a test runs where its feature is present, whatever the version says', () => {
  assert.equal(
    judge('bpf_link for XDP', '5.9', () => 'present', linux('5.4.0')),
    undefined,
  )
})

test('skips name the feature and the first kernel that has it', () => {
  const on = (release: string) => judge('bpf_link for XDP', '5.9', () => 'absent', linux(release))
  assert.deepEqual(on('5.4.0-42-generic'), {
    skip: 'kernel: bpf_link for XDP needs Linux 5.9, found 5.4.0-42-generic',
  })
  assert.deepEqual(on('4.19.1'), { skip: 'kernel: bpf_link for XDP needs Linux 5.9, found 4.19.1' })
})

test('what a new enough kernel lacks is a failure', () => {
  for (const release of ['5.9.0', '5.10.0-rc1', '6.18.1+'])
    assert.deepEqual(
      judge('bpf_link for XDP', '5.9', () => 'absent', linux(release)),
      { failure: `Linux has bpf_link for XDP since 5.9, but ${release} lacks it` },
    )
})

test('a missing privilege and another system are skips', () => {
  assert.deepEqual(
    judge('bpf_link for XDP', '5.9', () => 'forbidden', linux('6.18.0')),
    { skip: 'kernel: bpf_link for XDP needs root' },
  )
  assert.deepEqual(
    judge('XDP', '4.8', () => 'absent', { platform: 'darwin', release: '24.1.0' }),
    { skip: 'kernel: XDP needs Linux 4.8 or newer, this is darwin' },
  )
})
