import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { contentionOf, hotLines, memoryBases, whyNoContention } from './c2c.js'
import type { Region } from './memory-layout.js'

const report = (rows: string): string => `
=================================================
            Trace Event Information
=================================================
  Total records                     :      20000
  Load HITs on shared lines         :        420

=================================================
           Shared Data Cache Line Table
=================================================
#
#        ----------- Cacheline ----------      Tot  ------- Load Hitm -------    Total    Total
# Index             Address  Node  PA cnt     Hitm    Total  LclHitm  RmtHitm  records    Loads
# .....  ..................  ....  ......  .......  .......  .......  .......  .......  .......
#
${rows}

=================================================
      Shared Cache Line Distribution Pareto
=================================================
      9      0x7f0000009999     0       1   99.00%       99       99        0      999      999
`
const rows = [
  '      0      0x7f3010000040     0     120   62.50%       50       50        0      900      700',
  '      1      0x7f3010001000     0      80   25.00%       20       15        5      300      200',
  '      2  0xffff8bfd3fff0e80     1       3   12.50%       10       10        0       40       20',
].join('\n')
const regions: readonly Region[] = [
  { name: 'worker 0: progress', at: 64, bytes: 4, writer: 0 },
  { name: 'worker 1: progress', at: 68, bytes: 4, writer: 1 },
]

test('hot lines are told by the regions they lie in, by the columns of their table alone', () => {
  const lines = hotLines(report(rows), regions, 0x7f3010000000n)
  assert.deepEqual(
    lines.map(l => [l.region, l.share, l.local, l.remote]),
    [
      ['worker 0: progress and worker 1: progress', 0.625, 50, 0],
      ['offset 4096 of the run’s memory', 0.25, 15, 5],
      [undefined, 0.125, 10, 0],
    ],
  )
  assert.equal(lines[2].address, 0xffff8bfd3fff0e80n)
  assert.equal(hotLines(report(rows), regions, undefined)[0].region, undefined)
})

test('what is no report gives no lines and no exception', () => {
  for (const text of [
    '',
    report(''),
    report('x y z'),
    report(rows.replaceAll('%', '')),
    'Shared Data Cache Line Table',
  ])
    assert.deepEqual(hotLines(text, regions, 0n), [])
  const many = Array.from({ length: 500 }, () => rows).join('\n')
  assert.equal(hotLines(report(many), regions, 0n).length, 20)
})

test(
  'a memory’s base is found in the map of this very process',
  { skip: process.platform !== 'linux' },
  () => {
    const memory = new WebAssembly.Memory({ initial: 401, maximum: 401, shared: true })
    new Uint8Array(memory.buffer).fill(7)
    const maps = readFileSync('/proc/self/maps', 'utf8')
    const bases = memoryBases(maps)
    const size = (base: bigint): number => {
      const [from, to] = maps
        .split('\n')
        .map(line => line.split(/[- ]/).slice(0, 2))
        .find(([at]) => BigInt(`0x${at}`) === base)!
      return Number(BigInt(`0x${to}`) - BigInt(`0x${from}`))
    }
    assert.ok(
      bases.some(base => size(base) === 401 * 65_536),
      `${bases.length} bases`,
    )
    assert.deepEqual(memoryBases('nonsense\n1-2 rw-p\n'), [])
    assert.ok(memory.buffer.byteLength > 0)
  },
)

/** A perf that does what a test wants; the arguments after -- are the command. */
function fake(folder: string, record: string, told = ''): string {
  const path = join(folder, 'perf')
  writeFileSync(join(folder, 'report'), told)
  writeFileSync(
    path,
    `#!/bin/sh
what=$2
while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
[ $# -gt 0 ] && shift
case $what in
record) ${record} ;;
report) cat '${join(folder, 'report')}' ;;
esac
`,
  )
  chmodSync(path, 0o755)
  return path
}

test('whether it works is tried: no perf, no events, a perf that records', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-fake-perf-'))
  try {
    assert.equal(whyNoContention(join(folder, 'nowhere')), 'perf is not installed')
    const without = fake(folder, "echo 'failed: memory events not supported' >&2; exit 255")
    assert.deepEqual(await contentionOf(['-e', ''], regions, without), {
      available: false,
      reason: 'perf c2c record: failed: memory events not supported',
    })
    const able = fake(folder, '"$@"; exit $?', report(rows))
    const found = await contentionOf(['-e', 'setTimeout(() => {}, 50)'], regions, able)
    assert.ok(found.available)
    assert.equal(found.lines.length, 3)
    const failing = await contentionOf(['-e', 'process.exit(7)'], regions, able)
    assert.deepEqual(failing, { available: false, reason: 'the run under perf c2c ended with 7' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
