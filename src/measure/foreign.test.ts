import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { foreignSeconds, parseStat, readLoad } from './foreign.js'
import type { LoadSnapshot, ProcessTime } from './foreign.js'

function snapshot(stolen: number, ...list: ProcessTime[]): LoadSnapshot {
  return { stolen, processes: new Map(list.map(entry => [entry.pid, entry])) }
}

const line = (pid: number, name: string, memory: number) =>
  `${pid} (${name}) S 1 5 5 0 -1 4194560 100 200 0 0 30 12 7 8 20 0 1 0 4711 ${memory} 500 18446744073709551615 1 1 0\n`

test('a stat line is parsed whatever the name, kernel threads are not processes', () => {
  assert.deepEqual(parseStat(line(42, 'a b) (c', 1000)), { pid: 42, parent: 1, began: 4711, ticks: 42 })
  assert.equal(parseStat(line(42, 'kworker/0:1', 0)), undefined)
  for (const bad of ['', '12', '12 (x', '(x) S 1 2', 'x (y) S 1']) assert.equal(parseStat(bad), undefined)
})

test('foreign time is what processes and the hypervisor took in between', () => {
  const a = { pid: 1, parent: 0, began: 5, ticks: 100 }
  const before = snapshot(10, a)
  assert.equal(foreignSeconds(before, snapshot(10, a)), 0)
  assert.equal(foreignSeconds(before, snapshot(10, { ...a, ticks: 150 })), 0.5)
  assert.equal(foreignSeconds(before, snapshot(30, a)), 0.2)
  assert.equal(foreignSeconds(before, snapshot(10, { ...a, pid: 2, ticks: 7 })), 0.07, 'a new process')
  assert.equal(foreignSeconds(before, snapshot(10, { ...a, began: 9, ticks: 3 })), 0.03, 'the pid again')
})

test('the own process does not count', { skip: !existsSync('/proc/self/stat') && 'no /proc here' }, () => {
  const load = readLoad()
  assert.ok(load)
  assert.ok(!load.processes.has(process.pid))
  assert.equal(readLoad(0x7fffffff), undefined, 'a process that is not there cannot tell')
})
