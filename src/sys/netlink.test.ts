import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errno } from './errno.js'
import { SystemError } from './failure.js'
import { attributesOf, NetlinkError, numberOf, request, textOf } from './netlink.js'
import type { Request } from './netlink.js'
import { withFakeKernel } from './testing.js'

const u16 = (n: number): number[] => [n & 255, n >> 8]
const u32 = (n: number): number[] => [...u16(n & 0xffff), ...u16(n >>> 16)]

/** A message with a right header. */
const message = (type: number, flags: number, payload: readonly number[]): number[] => {
  const padding = Array<number>((4 - (payload.length % 4)) % 4).fill(0)
  return [
    ...u32(16 + payload.length),
    ...u16(type),
    ...u16(flags),
    ...u32(1),
    ...u32(0),
    ...payload,
    ...padding,
  ]
}
const done = message(3, 2, u32(0))
const acknowledgement = (error: number): number[] => [
  ...u32(-error >>> 0),
  ...u32(60),
  ...u16(19),
  ...u16(5),
  ...u32(1),
  ...u32(0),
]

const wanted: Request = {
  family: 0,
  type: 19,
  header: Uint8Array.of(9, 9, 9, 9),
  attributes: [
    [
      43,
      [
        [1, -1],
        [3, 4],
      ],
    ],
    [3, 'eth0'],
  ],
  name: 'netlink(SETLINK)',
}

/** Makes the request of a kernel that answers with these datagrams; gives what it was sent. */
function exchange(datagrams: readonly (readonly number[] | number)[], body: () => void): number[][] {
  const sent: number[][] = []
  const answers = [...datagrams]
  withFakeKernel(
    {
      other: {
        socket: () => 5,
        setsockopt: () => 0,
        send: (_, bytes) => sent.push([...bytes!]),
        receive(_, into) {
          const answer = answers.shift()!
          if (typeof answer === 'number') return answer
          into.set(answer)
          return answer.length
        },
      },
    },
    fake => {
      body()
      assert.equal(
        fake.calls.filter(name => name === 'close').length,
        fake.calls.filter(name => name === 'socket').length,
      )
    },
  )
  return sent
}

test('a request has its header, nested attributes and padding', () => {
  const [sent] = exchange([message(2, 0x100, acknowledgement(0))], () =>
    assert.deepEqual(request(wanted), []),
  )
  assert.deepEqual(sent, [
    ...u32(16 + 4 + 20 + 12),
    ...u16(19),
    ...u16(1 | 4),
    ...u32(1),
    ...u32(0),
    9,
    9,
    9,
    9,
    ...u16(20),
    ...u16(43 | 0x8000),
    ...u16(8),
    ...u16(1),
    255,
    255,
    255,
    255,
    ...u16(8),
    ...u16(3),
    4,
    0,
    0,
    0,
    ...u16(9),
    ...u16(3),
    ...Buffer.from('eth0\0'),
    0,
    0,
    0,
  ])
})

test('a dump is read over several datagrams, and again if the list changed meanwhile', () => {
  const sent = exchange(
    [message(16, 0x12, [1, 2, 3, 4]), done, message(16, 2, [5]), [...message(16, 2, [6, 7]), ...done]],
    () => {
      assert.deepEqual(
        request({ ...wanted, dump: true }).map(({ type, payload }) => [type, ...payload]),
        [
          [16, 5],
          [16, 6, 7],
        ],
      )
    },
  )
  assert.equal(sent.length, 2)
  assert.deepEqual(sent[0].slice(6, 8), u16(1 | 0x300))
})

test('a refusal carries the kernel’s words', () => {
  const words = 'veth: Peer MTU is too large to set XDP\0'
  const tlv = [...u16(4 + words.length), ...u16(1), ...Buffer.from(words)]
  exchange([message(2, 0x300, [...acknowledgement(errno.ERANGE), ...tlv])], () =>
    assert.throws(
      () => request(wanted),
      (error: unknown) => {
        assert.ok(error instanceof NetlinkError)
        assert.equal(error.errno, errno.ERANGE)
        assert.equal(error.kernelText, words.slice(0, -1))
        assert.match(error.message, /^netlink\(SETLINK\): ERANGE.*; the kernel says: veth: Peer MTU/)
        return true
      },
    ),
  )
  exchange([message(2, 0x100, acknowledgement(errno.EPERM))], () =>
    assert.throws(
      () => request(wanted),
      (error: unknown) => error instanceof NetlinkError && error.kernelText === undefined,
    ),
  )
})

test('silence ends after a time, and signals do not disturb', () => {
  exchange([-errno.EINTR, -errno.EAGAIN], () =>
    assert.throws(
      () => request(wanted),
      (error: unknown) => error instanceof SystemError && /no answer within 2 s/.test(error.message),
    ),
  )
})

test('lengths that do not fit end the walk', () => {
  assert.deepEqual(
    [...attributesOf(Uint8Array.of(...u16(8), ...u16(1), 1, 2, 3, 4, ...u16(200), ...u16(2)))],
    [[1, Uint8Array.of(1, 2, 3, 4)]],
  )
  assert.deepEqual([...attributesOf(Uint8Array.of(0, 0, 0, 0))], [])
  exchange([[...message(16, 2, [1]), 255, 255, 255, 255, ...Array<number>(12).fill(0)], done], () =>
    assert.equal(request({ ...wanted, dump: true }).length, 1),
  )
})

test('numbers and text of attributes', () => {
  assert.equal(numberOf(Uint8Array.of(1, 2, 3, 4)), 0x0403_0201)
  assert.equal(numberOf(Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0)), 2 ** 32)
  assert.equal(numberOf(Uint8Array.of(1, 2, 3)), 0)
  assert.equal(numberOf(undefined), 0)
  assert.equal(textOf(Buffer.from('eth0\0\0')), 'eth0')
})
