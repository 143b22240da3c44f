/**
 * Refusals, provoked on the real kernel or, where only another machine would refuse, by a kernel that pretends: each has
 * a cause and something to do, and none is an unexplained EINVAL.
 */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import { StackExceeded, StateExceeded, load } from '../../src/engine/kernel/load.js'
import { loadReplicated } from '../../src/engine/kernel/replicated.js'
import { loadShards } from '../../src/engine/kernel/sharded.js'
import { command } from '../../src/sys/bpf.js'
import { errno } from '../../src/sys/errno.js'
import { SystemError, Unsupported } from '../../src/sys/failure.js'
import { forgetFeatures } from '../../src/sys/features.js'
import { call, exit, instructionBytes, move, moveImmediate } from '../../src/sys/instruction.js'
import type { Instruction } from '../../src/sys/instruction.js'
import { kernel, replaceKernel } from '../../src/sys/kernel.js'
import type { Kernel } from '../../src/sys/kernel.js'
import { createMap, mapFlags } from '../../src/sys/map.js'
import { loadProgram, VerifierRejection } from '../../src/sys/program.js'
import { summarise } from '../../src/sys/verifier-log.js'
import { root } from '../../tools/sources.js'
import { folder, main, run } from '../cli/hairpin.js'
import { withoutPrograms } from './machine.js'
import { withoutBpf } from './probes.js'

const skip = withoutPrograms

function compiled(text: string, file = 'refused.ts'): Compiled {
  const { compiled: found, diagnostics } = compile(file, text)
  assert.ok(found, JSON.stringify(diagnostics))
  return found
}

const forwarder = (): Compiled => compiled(readFileSync(join(root, 'programs/forwarder.ts'), 'utf8'))
const options = { settings: new Map<string, bigint>(), seed: 1n }

// --- The verifier's own limits and rules, each by the smallest program that breaks it.

const drop = [moveImmediate(0, 1), exit]
const jump = (offset: number): Instruction => [0x05, 0, 0, offset, 0]
/** if r0 == imm goto +offset */
const jumpEqual = (imm: number, offset: number): Instruction => [0x15, 0, 0, offset, imm]
const random = call(7)

const rules: readonly {
  readonly name: string
  readonly code: readonly Instruction[]
  readonly error: RegExp
  readonly reason: RegExp
  readonly licence?: string
}[] = [
  {
    name: 'a loop without an end',
    code: [moveImmediate(0, 0), jump(-1), exit],
    error: /infinite loop|back-edge|unreachable/,
    reason: /a loop ends|rule of the instruction set/,
  },
  {
    name: 'a loop that takes too long',
    // r6 counts to a million and a half, and is part of what the verifier compares.
    code: [moveImmediate(6, 0), [0x07, 6, 0, 0, 1], [0xa5, 6, 0, -2, 1_500_000], ...drop],
    error: /too large/,
    reason: /gives up after a million instructions/,
  },
  {
    name: 'too many branches in a row',
    code: [...Array.from({ length: 8300 }, () => [random, jumpEqual(7, 0)]).flat(), ...drop],
    error: /sequence of 8193 jumps is too complex/,
    reason: /every path/,
  },
  {
    name: 'more stack than there is',
    code: [[0x7a, 10, 0, -520, 1], ...drop],
    error: /invalid write to stack/,
    reason: /512 bytes of stack/,
  },
  {
    name: 'a helper that is not there',
    code: [call(9999), ...drop],
    error: /invalid func/,
    reason: /does not have the helper/,
  },
  {
    name: 'a helper that XDP may not call',
    code: [call(26), ...drop],
    error: /cannot use helper|unknown func/,
    reason: /helper/,
  },
  {
    name: 'a helper for GPL programs only',
    code: [
      [0xbf, 1, 10, 0, 0],
      [0x07, 1, 0, 0, -8],
      moveImmediate(2, 8),
      moveImmediate(3, 0),
      call(113),
      ...drop,
    ],
    error: /GPL/,
    reason: /compatible with the GPL/,
    licence: 'Apache-2.0',
  },
  {
    name: 'an instruction that is not there',
    code: [[0x8f, 0, 0, 0, 0], ...drop],
    error: /unknown opcode/,
    reason: /does not know the instruction/,
  },
  {
    name: 'a read beyond the packet',
    code: [[0x61, 2, 1, 0, 0], [0x71, 0, 2, 0, 0], exit],
    error: /packet/,
    reason: /that long here/,
  },
  {
    name: 'a register that nobody set',
    code: [move(0, 5), exit],
    error: /!read_ok/,
    reason: /rule of the instruction set/,
  },
]

for (const { name, code, error, reason, licence = 'GPL' } of rules)
  test(`the verifier refuses ${name}, and that is explained`, { skip: withoutBpf }, () => {
    assert.throws(
      () => loadProgram({ type: 'xdp', name: 'refused', instructions: instructionBytes(code), licence }),
      (thrown: unknown) => {
        assert.ok(thrown instanceof VerifierRejection, String(thrown))
        const summary = summarise(thrown.log)
        assert.match(summary.error, error)
        assert.match(summary.reason ?? summary.error, reason)
        return true
      },
    )
  })

test('a program with more instructions than the kernel takes', { skip: withoutBpf }, () => {
  const instructions = instructionBytes([...Array<Instruction>(1_000_001).fill(moveImmediate(0, 1)), exit])
  assert.throws(
    () => loadProgram({ type: 'xdp', name: 'huge', instructions, licence: 'GPL' }),
    /E2BIG.*has 1000002 instructions, more than the kernel takes/,
  )
})

test('a map larger than memory', { skip: withoutBpf }, () => {
  const flags = mapFlags.MMAPABLE
  const make = (valueSize: number, maxEntries: number) => (): void =>
    createMap({ type: 'array', name: 'big', keySize: 4, valueSize, maxEntries, flags }).close()
  assert.throws(make(2 ** 31, 1), /E2BIG.*map big .* larger than the kernel allows/)
  assert.throws(make(2 ** 30, 2 ** 20), /(ENOMEM|E2BIG).*map big/)
  assert.throws(make(0, 1), /EINVAL.*does not accept map big/)
})

// --- What our own compiler and loader refuse.

test('more values alive than the stack holds, with their names', { skip }, () => {
  const names = Array.from({ length: 90 }, (_, k) => k)
  const program = compiled(`import { type Packet, cell, u64, Verdict } from 'hairpin'
const last = cell(u64)
export default function wide(packet: Packet): Verdict {
  const seed = last.get()
${names.map(k => `  const v${k} = (seed ^ ${k * 7919}n) * ${2 * k + 3}n`).join('\n')}
  last.set(seed + 1n)
  let sum = 0n
${names.map(k => `  sum = sum * 31n + v${(k * 37) % 90} / (v${k} | 1n)`).join('\n')}
  last.set(sum)
  return sum > 5n ? Verdict.Pass : Verdict.Drop
}
`)
  assert.throws(
    () => load(program, options).close(),
    (error: unknown) =>
      error instanceof StackExceeded &&
      /wide needs \d+ bytes of stack in main, .* gives 512; on the stack are v\d+, .* and \d+ more; use values/.test(
        error.message,
      ),
  )
})

test('a table larger than the verifier can follow', { skip }, () => {
  const text = readFileSync(join(root, 'programs/port-knocking.ts'), 'utf8').replace('65_536', '40_000_000')
  const large = compiled(text)
  const { steer } = large.kernel
  for (const loading of [
    () => load(large, options).close(),
    () => loadReplicated(large, { ...options, workers: 2 }).close(),
    () => loadShards({ ...large, kernel: { ...large.kernel, steer: steer! } }, { ...options, workers: 2 }),
  ])
    assert.throws(
      loading,
      (error: unknown) =>
        error instanceof StateExceeded &&
        /knocks takes \d+ MiB, .* below 512 MiB only; give it a smaller capacity/.test(error.message),
    )
})

// --- Older kernels, by a kernel that pretends to be one.

afterEach(() => forgetFeatures())

/** The real kernel, but for bpf(2) calls that `refuse` answers with an error number. */
function pretending<T>(refuse: (name: string, attr: DataView) => number, body: () => T): T {
  const real = kernel()
  const names = Object.entries(command)
  const older: Kernel = {
    ...real,
    bpf(number, attr) {
      const name = names.find(([, n]) => n === number)![0]
      const error = refuse(name, new DataView(attr.buffer, attr.byteOffset, attr.length))
      return error > 0 ? -error : real.bpf(number, attr)
    },
  }
  forgetFeatures()
  const restore = replaceKernel(older)
  try {
    return body()
  } finally {
    restore()
  }
}

const refusal = (body: () => void): Error => {
  try {
    body()
  } catch (error) {
    assert.ok(error instanceof Error)
    return error
  }
  throw new Error('nothing was refused')
}

test('a kernel without maps as memory, without links, without binding', { skip }, () => {
  const program = forwarder()
  const noMemory = pretending(
    (name, attr) =>
      name === 'MAP_CREATE' && attr.getUint32(16, true) & mapFlags.MMAPABLE ? errno.EINVAL : 0,
    () => refusal(() => load(program, options).close()),
  )
  assert.ok(noMemory instanceof Unsupported, noMemory.message)
  assert.match(noMemory.message, /^maps as memory needs Linux 5\.5, found Linux .*; hairpin doctor lists/)
  assert.ok(noMemory.cause instanceof SystemError)

  const noBinding = pretending(
    name => (name === 'PROG_BIND_MAP' ? errno.EINVAL : 0),
    () => refusal(() => load(program, options).close()),
  )
  assert.match(noBinding.message, /^binding maps to programs needs Linux 5\.10, found Linux /)
})

test('memory, files and size that run out are told as such, and not as missing features', { skip }, () => {
  for (const [error, text] of [
    [errno.ENOMEM, /ENOMEM.*no memory for map .*make it smaller/],
    [errno.EMFILE, /EMFILE.*ulimit -n/],
    [errno.E2BIG, /E2BIG.*larger than the kernel allows/],
  ] as const) {
    const found = pretending(
      (name, attr) => (name === 'MAP_CREATE' && attr.getUint32(8, true) > 8 ? error : 0),
      () => refusal(() => load(forwarder(), options).close()),
    )
    assert.match(found.message, text)
  }
})

// --- Less privilege than root has.

const dry = [process.execPath, main, 'attach', 'programs/port-knocking.ts', '--dry-run']

test(
  'without CAP_PERFMON the verifier refuses, at a line of the source, and the cause is told',
  { skip },
  async () => {
    const log = join(folder, 'refused.txt')
    const few = ['--bounding-set=-all,+bpf,+net_admin', '--inh-caps=-all']
    const ended = await run('setpriv', [...few, ...dry, '--verifier-log', log])
    assert.equal(ended.code, 3, ended.out)
    assert.match(ended.err, /the kernel's verifier refuses portKnocking:\n {2}.*prohibited for !root/)
    assert.match(
      ended.err,
      /\n {2}at programs\/port-knocking\.ts:\d+:\d+\n {2}instruction \d+: .*\n {2}with R\d+=/,
    )
    assert.match(
      ended.err,
      /without CAP_PERFMON .*\n {2}run it as root, or with the capability CAP_PERFMON as well/,
    )
    assert.match(ended.err, /the whole log is in .*refused\.txt/)
    assert.match(readFileSync(log, 'utf8'), /prohibited for !root/)
  },
)

test('without capabilities, and in a user namespace', { skip }, async () => {
  const none = await run('setpriv', ['--bounding-set=-all', '--inh-caps=-all', ...dry])
  assert.equal(none.code, 3)
  assert.match(none.err, /EPERM.*lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON; .*--cap-add BPF/)
  const list = await run('setpriv', [
    '--bounding-set=-all',
    '--inh-caps=-all',
    process.execPath,
    main,
    'list',
  ])
  assert.match(list.err, /EPERM.*only root may look at all BPF objects; .*CAP_SYS_ADMIN/)
})

test('a log that cannot be written', { skip }, async () => {
  const ended = await run(dry[0], [...dry.slice(1), '--verifier-log', join(folder, 'no', 'such', 'folder')])
  assert.equal(ended.code, 4)
  assert.match(ended.err, /cannot be written: ENOENT/)
})
