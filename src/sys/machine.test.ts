import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuList } from './cpus.js'
import { errno, errnoName, errnoText } from './errno.js'
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

const noProc = process.platform === 'linux' ? false : 'no /proc here'

test('a process is alive, and a later one of its number is another', { skip: noProc }, () => {
  const self = thisProcess()
  assert.ok(isAlive(self))
  assert.ok(!isAlive({ ...self, start: self.start + 1 }))
})
