import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineEntries, placeOf, summarise, summaryText } from './verifier-log.js'

const lines = [
  { instruction: 0, file: 'knock.ts', line: 8, column: 3 },
  { instruction: 3, file: 'knock.ts', line: 9, column: 12 },
]

// Logs of Linux 6.18, 5.15 and 6.1.
const packet = `0: R1=ctx() R10=fp0
; const ip = packet.ipv4 @ knock.ts:8
0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2=pkt(r=0)
1: (61) r3 = *(u32 *)(r1 +4)          ; R1=ctx() R3=pkt_end()
2: (2d) if r2 > r3 goto pc+2          ; R2=pkt(r=0) R3=pkt_end()
; ip.ttl @ knock.ts:9
3: (71) r0 = *(u8 *)(r2 +22)
invalid access to packet, off=22 size=1, R2(id=0,off=22,r=0)
R2 offset is outside of the packet
processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`

test('a refused read of the packet: error, instruction, register, place, meaning', () => {
  assert.deepEqual(summarise(packet, lines), {
    error: 'invalid access to packet, off=22 size=1, R2(id=0,off=22,r=0); R2 offset is outside of the packet',
    instruction: 3,
    text: 'r0 = *(u8 *)(r2 +22)',
    registers: ['R2=pkt(r=0)'],
    path: [],
    place: { file: 'knock.ts', line: 9, column: 12 },
    reason: 'the kernel does not see that the packet is that long here',
    remedy: 'the compiler should have proved this: please report the program',
    processed: 4,
  })
  const text = summaryText(summarise(packet, lines)).split('\n')
  assert.equal(text[1], 'at knock.ts:9:12')
  assert.equal(text[2], 'instruction 3: r0 = *(u8 *)(r2 +22)')
  assert.equal(text[3], 'with R2=pkt(r=0)')
})

test('an older kernel’s way of writing, and the jumps on the path', () => {
  const log = `func#0 @0
0: R1=ctx(id=0,off=0,imm=0) R10=fp0
0: (79) r6 = *(u64 *)(r1 +8)
1: R6_w=inv(id=0) R1=ctx(id=0,off=0,imm=0)
1: (15) if r6 == 0x0 goto pc+3
 R1=ctx(id=0,off=0,imm=0) R6=inv(id=0) R10=fp0
from 1 to 5: R1=ctx(id=0,off=0,imm=0) R6=map_value_or_null(id=2,off=0,ks=4,vs=8,imm=0) R10=fp0
5: (7b) *(u64 *)(r6 +0) = r1
R6 invalid mem access 'map_value_or_null'
processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`
  const summary = summarise(log)
  assert.equal(summary.error, "R6 invalid mem access 'map_value_or_null'")
  assert.equal(summary.instruction, 5)
  assert.deepEqual(summary.registers, [
    'R1=ctx(id=0,off=0,imm=0)',
    'R6=map_value_or_null(id=2,off=0,ks=4,vs=8,imm=0)',
  ])
  assert.deepEqual(summary.path, ['from 1 to 5'])
  assert.match(summary.reason!, /may have found nothing/)
})

test('states with spaces and semicolons stay whole', () => {
  const state = 'map_value(map=m,ks=4,vs=64,smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))'
  const log = `3: (0f) r1 += r3                      ; R1=${state} R3=scalar(var_off=(0x0; 0xffffffff))
4: (71) r0 = *(u8 *)(r1 +0)
R1 unbounded memory access, make sure to bounds check any such access
`
  assert.deepEqual(summarise(log).registers, [`R1=${state}`])
})

test('limits, licences and missing helpers are explained', () => {
  const reasons = {
    'BPF program is too large. Processed 1000001 insn': /a million instructions/,
    'combined stack size of 2 calls is 800. Too large': /512 bytes of stack/,
    'cannot call GPL-restricted function from non-GPL compatible program': /licence/,
    'invalid func unknown#9999': /does not have the helper/,
    'unknown opcode e5': /does not know the instruction/,
    'invalid bpf_context access off=64 size=4': /breaks a rule/,
  }
  for (const [error, reason] of Object.entries(reasons)) {
    const summary = summarise(`0: (95) exit\n${error}\nprocessed 0 insns (limit 1000000)\n`)
    assert.equal(summary.error, error)
    assert.match(summary.reason!, reason)
  }
})

test('an error that names its instruction concerns that one', () => {
  const summary = summarise('processed 0 insns\nunreachable insn 4\n', lines)
  assert.equal(summary.instruction, 4)
  assert.deepEqual(summary.place, { file: 'knock.ts', line: 9, column: 12 })
})

test('nonsense is no reason to throw', () => {
  for (const log of ['', '\n\n', '1: (', 'from 1 to', '0: R1=', 'x'.repeat(1000)]) summarise(log, lines)
  assert.equal(summarise('').error, 'no reason given')
  assert.equal(placeOf([], 3), undefined)
  assert.equal(placeOf([lines[1]], 2), undefined)
})

test('line records of BTF', () => {
  const records = new Uint32Array([0, 1, 0, (8 << 10) | 3, 3, 1, 0, (9 << 10) | 12])
  assert.deepEqual(lineEntries(new Uint8Array(records.buffer), Buffer.from('\0knock.ts\0')), lines)
})
