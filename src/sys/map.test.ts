import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errno } from './errno.js'
import { SystemError, Unsupported } from './failure.js'
import { BpfMap, createMap, mapFlags } from './map.js'
import { withFakeKernel } from './testing.js'

const specification = {
  type: 'hash',
  name: 'flows by source',
  keySize: 4,
  valueSize: 8,
  maxEntries: 100,
} as const
const open = (): BpfMap => new BpfMap(7, specification)
const key = Uint8Array.of(1, 0, 0, 0)

test('a map is made with the fields of linux/bpf.h where they belong', () => {
  let seen: number[] = []
  const answer = (attributes: DataView): number => {
    seen = [...new Uint8Array(attributes.buffer)]
    return 9
  }
  withFakeKernel({ bpf: { MAP_CREATE: answer } }, () => {
    const map = createMap({ ...specification, flags: mapFlags.NO_PREALLOC, btf: { fd: 3, key: 1, value: 2 } })
    assert.equal(map.fd, 9)
    map.close()
    assert.ok(map.closed)
    assert.throws(() => map.fd, /used after it was closed/)
  })
  const word = (n: number): number[] => [n, 0, 0, 0]
  assert.deepEqual(seen, [
    ...[1, 4, 8, 100, 1, 0, 0].flatMap(word),
    ...Buffer.from('flows_by_source\0'),
    ...[0, 3, 1, 2, 0, 0, 0].flatMap(word),
  ])
})

test('a refusal says what was asked for', () => {
  const refuse = (error: number): Error => {
    let caught: unknown
    withFakeKernel({ bpf: { MAP_CREATE: () => -error } }, () => {
      try {
        createMap(specification)
      } catch (thrown) {
        caught = thrown
      }
    })
    assert.ok(caught instanceof Error)
    return caught
  }
  const invalid = refuse(errno.EINVAL)
  assert.ok(invalid instanceof SystemError)
  assert.equal(invalid.call, 'bpf(MAP_CREATE)')
  assert.equal(invalid.code, 'EINVAL')
  assert.match(
    invalid.message,
    /does not accept map flows by source \(hash, keys of 4 bytes, values of 8, 100 entries\)/,
  )
  // Why depends on who asks: privilege.test.ts has the causes.
  assert.match(refuse(errno.EPERM).message, /bpf\(MAP_CREATE\): EPERM, operation not permitted; .*; /)
  const missing = refuse(errno.ENOSYS)
  assert.ok(missing instanceof Unsupported)
  assert.equal(missing.feature, 'bpf(2)')
})

test('an absent key is no error, a full map is one', () => {
  const answers = (error: number) => ({
    bpf: { MAP_LOOKUP_ELEM: () => -error, MAP_DELETE_ELEM: () => -error, MAP_UPDATE_ELEM: () => -error },
  })
  withFakeKernel(answers(errno.ENOENT), () => {
    assert.equal(open().lookup(key), undefined)
    assert.equal(open().delete(key), false)
  })
  withFakeKernel(answers(errno.EFAULT), () =>
    assert.throws(() => open().lookup(key), /bpf\(MAP_LOOKUP_ELEM\): EFAULT/),
  )
  withFakeKernel(answers(errno.E2BIG), () =>
    assert.throws(() => open().update(key, new Uint8Array(8)), /is full: it holds 100 entries/),
  )
})

test('keys and values of the wrong size never reach the kernel', () => {
  withFakeKernel({}, fake => {
    assert.throws(() => open().lookup(new Uint8Array(5)), /a key has 4 bytes, not 5/)
    assert.throws(() => open().update(key, new Uint8Array(4)), /a value has 8 bytes, not 4/)
    assert.deepEqual(fake.calls, [])
  })
})

test('a batch that is too small for a bucket is doubled, and the position is carried on', () => {
  const asked: [size: number, position: number][] = []
  const sizes = [2, 1]
  withFakeKernel(
    {
      bpf: {
        MAP_LOOKUP_BATCH(attributes, fake) {
          const size = attributes.getUint32(32, true)
          const from = attributes.getBigUint64(0, true)
          asked.push([size, from === 0n ? 0 : fake.at(from)[0]])
          if (size < 4) return -errno.ENOSPC
          fake.at(attributes.getBigUint64(8, true))[0] = 77
          const count = sizes.shift()!
          attributes.setUint32(32, count, true)
          fake.at(attributes.getBigUint64(16, true)).fill(count, 0, 4 * count)
          return sizes.length === 0 ? -errno.ENOENT : 0
        },
      },
    },
    () => {
      const batches = [...open().batches(1)]
      assert.deepEqual(
        batches.map(({ count, keys, values }) => [count, keys.length, values.length]),
        [
          [2, 8, 16],
          [1, 4, 8],
        ],
      )
    },
  )
  assert.deepEqual(asked, [
    [1, 0],
    [2, 0],
    [4, 0],
    [4, 77],
  ])
})
