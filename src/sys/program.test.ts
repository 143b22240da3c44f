import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errno } from './errno.js'
import { SystemError } from './failure.js'
import { loadProgram, VerifierRejection } from './program.js'
import { withFakeKernel } from './testing.js'

const specification = {
  type: 'xdp',
  name: 'port knocking',
  instructions: new Uint8Array(16),
  licence: 'Apache-2.0',
} as const

test('a program that is accepted is loaded once, without a log', () => {
  const seen: Record<string, unknown> = {}
  withFakeKernel(
    {
      bpf: {
        PROG_LOAD(attributes, fake) {
          seen['type'] = attributes.getUint32(0, true)
          seen['instructions'] = [
            attributes.getUint32(4, true),
            fake.at(attributes.getBigUint64(8, true)).length,
          ]
          seen['licence'] = fake.text(attributes.getBigUint64(16, true))
          seen['level'] = attributes.getUint32(24, true)
          seen['name'] = Buffer.from(attributes.buffer, 48, 14).toString()
          seen['attachType'] = attributes.getUint32(68, true)
          seen['btf'] = [72, 76, 88, 92, 104].map(offset => attributes.getUint32(offset, true))
          return 5
        },
      },
    },
    fake => {
      const btf = { fd: 6, functions: new Uint8Array(8), lines: new Uint8Array(48) }
      assert.equal(loadProgram({ ...specification, attachType: 'xdp_cpumap', btf }).fd, 5)
      assert.deepEqual(fake.calls, ['PROG_LOAD'])
    },
  )
  assert.deepEqual(seen, {
    type: 6,
    instructions: [2, 16],
    licence: 'Apache-2.0',
    level: 0,
    name: 'port_knocking\0',
    attachType: 35,
    btf: [6, 8, 1, 16, 3],
  })
})

/** A kernel that refuses with this log; it needs `needed` bytes for it and keeps its end or its beginning. */
function refusing(error: number, log: string, needed: number, keeps: 'end' | 'beginning') {
  const sizes: number[] = []
  const load = (attributes: DataView, fake: { at(address: bigint): Uint8Array }): number => {
    const size = attributes.getUint32(28, true)
    sizes.push(size)
    if (size === 0) return -error
    const fits = size >= needed
    fake.at(attributes.getBigUint64(32, true)).set(Buffer.from(fits || keeps === 'end' ? log : 'func#0 @0'))
    return fits ? -error : -errno.ENOSPC
  }
  return { sizes, bpf: { PROG_LOAD: load } }
}

const log = '0: (95) exit\nR0 !read_ok\nprocessed 1 insns (limit 1000000)\n'

function rejection(kernel: ReturnType<typeof refusing>, more: object = {}): VerifierRejection {
  let caught: unknown
  withFakeKernel(kernel, () => {
    try {
      loadProgram({ ...specification, ...more })
    } catch (error) {
      caught = error
    }
  })
  assert.ok(caught instanceof VerifierRejection)
  return caught
}

test('a refusal is repeated with a log, whose last words are the message', () => {
  const kernel = refusing(errno.EACCES, log, 100, 'end')
  const error = rejection(kernel)
  assert.equal(error.log, log)
  assert.equal(error.code, 'EACCES')
  assert.match(error.message, /the verifier refuses port knocking: R0 !read_ok$/)
  assert.deepEqual(kernel.sizes, [0, 1 << 18])
})

test('the end of a long log will do, with the verifier’s error number; a kernel that keeps the beginning is asked again', () => {
  const newer = refusing(errno.EINVAL, log, 1 << 20, 'end')
  assert.equal(rejection(newer).code, 'EINVAL')
  assert.deepEqual(newer.sizes, [0, 1 << 18])
  const older = refusing(errno.EINVAL, log, 1 << 20, 'beginning')
  assert.equal(rejection(older).log, log)
  assert.deepEqual(older.sizes, [0, 1 << 18, 1 << 20])
  const whole = refusing(errno.EINVAL, log, 1 << 20, 'end')
  rejection(whole, { wholeLog: true })
  assert.deepEqual(whole.sizes, [0, 1 << 18, 1 << 20])
})

test('without privilege, and before the verifier, there is no log', () => {
  for (const [error, text] of [
    [errno.EPERM, /EPERM, operation not permitted; .*; /],
    [errno.EINVAL, /before its verifier sees it/],
    [errno.E2BIG, /has 2 instructions/],
  ] as const)
    withFakeKernel({ bpf: { PROG_LOAD: () => -error } }, fake => {
      assert.throws(
        () => loadProgram(specification),
        (thrown: unknown) =>
          thrown instanceof SystemError &&
          !(thrown instanceof VerifierRejection) &&
          text.test(thrown.message),
      )
      assert.equal(fake.calls.length, error === errno.EPERM ? 1 : 2)
    })
})
