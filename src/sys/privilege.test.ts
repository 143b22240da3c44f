import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bpfError } from './bpf.js'
import { errno } from './errno.js'
import {
  capabilitiesOf,
  explainPermission,
  lockdownMode,
  lockLimit,
  missingCapabilities,
} from './privilege.js'
import type { Privileges } from './privilege.js'

test('capabilities, lockdown and limits as the kernel writes them', () => {
  assert.deepEqual(capabilitiesOf('Name:\tnode\nCapPrm:\t0\nCapEff:\t000000c000001000\n'), [
    'CAP_NET_ADMIN',
    'CAP_PERFMON',
    'CAP_BPF',
  ])
  assert.deepEqual(capabilitiesOf(undefined), [])
  assert.deepEqual(missingCapabilities({ capabilities: ['CAP_NET_ADMIN', 'CAP_BPF'] }), ['CAP_PERFMON'])
  assert.deepEqual(missingCapabilities({ capabilities: ['CAP_SYS_ADMIN'] }), [])
  assert.equal(lockdownMode('none [integrity] confidentiality\n'), 'integrity')
  assert.equal(lockdownMode(undefined), undefined)
  assert.equal(
    lockLimit(
      'Limit  Soft Limit\nMax locked memory         8388608              8388608              bytes\n',
    ),
    8_388_608,
  )
  assert.equal(
    lockLimit('Max locked memory         unlimited            unlimited            bytes\n'),
    Infinity,
  )
})

const root: Privileges = {
  release: '6.12.0',
  capabilities: ['CAP_SYS_ADMIN'],
  root: true,
  userNamespace: false,
  seccomp: false,
  lockdown: 'none',
  memlock: 8 << 20,
}

test('the causes of EPERM are told apart, each with what to do', () => {
  const cases: readonly [name: string, found: Partial<Privileges>, reason: RegExp, remedy: RegExp][] = [
    [
      'a user',
      { root: false, capabilities: [] },
      /lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON/,
      /run it as root/,
    ],
    ['a container', { capabilities: ['CAP_BPF'] }, /lacks CAP_NET_ADMIN, CAP_PERFMON/, /--cap-add NET_ADMIN/],
    ['rootless', { userNamespace: true }, /user namespace/, /root of the machine/],
    [
      'memlock',
      { release: '5.10.0', memlock: 65_536 },
      /before Linux 5\.11, .* 64 KiB/,
      /^ulimit -l unlimited$/,
    ],
    ['enough', { release: '5.10.0', memlock: Infinity }, /security module/, /journalctl/],
    ['seccomp', { seccomp: true }, /filter of system calls/, /seccomp=unconfined/],
    ['lockdown', { lockdown: 'confidentiality' }, /locked down \(confidentiality\)/, /Secure Boot/],
    ['a module', {}, /security module/, /ausearch/],
  ]
  for (const [name, found, reason, remedy] of cases) {
    const explanation = explainPermission({ ...root, ...found })
    assert.match(explanation.reason!, reason, name)
    assert.match(explanation.remedy!, remedy, name)
  }
})

test('files run out like anything else', () => {
  assert.match(bpfError('MAP_CREATE', errno.EMFILE).message, /EMFILE.*open file.*ulimit -n/)
  assert.match(bpfError('PROG_LOAD', errno.ENFILE).message, /ENFILE.*fs\.file-max/)
  assert.match(bpfError('MAP_CREATE', errno.EINVAL, { reason: 'known' }).message, /EINVAL.*; known$/)
})
