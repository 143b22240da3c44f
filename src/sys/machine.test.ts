import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuList } from './cpus.js'
import { errno, errnoName, errnoText } from './errno.js'
import { capabilitiesOf, lockdownMode, lockLimit, mayUseXdp } from './machine.js'
import { isAlive, thisProcess } from './process.js'

test('sets of CPUs', () => {
  assert.deepEqual(cpuList('0-3,8,10-11\n'), [0, 1, 2, 3, 8, 10, 11])
  assert.deepEqual(cpuList('0\n'), [0])
  assert.deepEqual(cpuList('\n'), [])
})

test('error numbers', () => {
  assert.equal(errnoName(1), 'EPERM')
  assert.equal(errnoName(524), 'ENOTSUPP')
  assert.equal(errnoName(4000), 'E4000')
  assert.equal(errnoText(16), 'device or resource busy')
  assert.equal(errno.EOPNOTSUPP, 95)
})

test('capabilities, lockdown and limits as the kernel writes them', () => {
  assert.deepEqual(capabilitiesOf('Name:\tnode\nCapPrm:\t0\nCapEff:\t000000c000001000\n'), [
    'CAP_NET_ADMIN',
    'CAP_PERFMON',
    'CAP_BPF',
  ])
  assert.deepEqual(capabilitiesOf(undefined), [])
  assert.ok(mayUseXdp({ capabilities: ['CAP_NET_ADMIN', 'CAP_BPF'] }))
  assert.ok(mayUseXdp({ capabilities: ['CAP_SYS_ADMIN'] }))
  assert.ok(!mayUseXdp({ capabilities: ['CAP_BPF'] }))
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

const noProc = process.platform === 'linux' ? false : 'no /proc here'

test('a process is alive, and a later one of its number is another', { skip: noProc }, () => {
  const self = thisProcess()
  assert.ok(isAlive(self))
  assert.ok(!isAlive({ ...self, start: self.start + 1 }))
})
