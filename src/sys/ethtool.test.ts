import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errno } from './errno.js'
import * as ethtool from './ethtool.js'
import { withFakeKernel } from './testing.js'

/** A device that answers by command; `asked` has the questions as they came. */
function withDevice(
  answers: Readonly<Record<number, (question: DataView) => number | void>>,
  body: (asked: Uint8Array[]) => void,
): void {
  const asked: Uint8Array[] = []
  let at: (address: bigint) => Uint8Array
  withFakeKernel(
    {
      other: {
        socket: () => 3,
        ioctl(_, request, argument) {
          assert.equal(request, 0x8946)
          assert.equal(Buffer.from(argument).toString('latin1', 0, 5), 'eth1\0')
          const question = at(new DataView(argument.buffer).getBigUint64(16, true))
          asked.push(question.slice())
          const view = new DataView(question.buffer)
          const answer = answers[view.getUint32(0, true)]
          return answer === undefined ? -errno.EOPNOTSUPP : (answer(view) ?? 0)
        },
      },
    },
    fake => {
      at = address => fake.at(address)
      body(asked)
    },
  )
}

const put = (view: DataView, values: Readonly<Record<number, number>>): void =>
  Object.entries(values).forEach(([offset, value]) => view.setUint32(Number(offset), value, true))

test('what a device does not implement is undefined', () => {
  withDevice({}, () => {
    assert.equal(ethtool.driverName('eth1'), '')
    assert.equal(ethtool.channels('eth1'), undefined)
    assert.equal(ethtool.rings('eth1'), undefined)
    assert.equal(ethtool.scaling('eth1'), undefined)
    assert.equal(ethtool.hashFields('eth1', 'tcp4'), undefined)
    assert.deepEqual(ethtool.offloads('eth1'), {})
    assert.equal(ethtool.statistics('eth1').size, 0)
    assert.throws(() => ethtool.setChannels('eth1', { combined: 2 }), /EOPNOTSUPP/)
    assert.throws(
      () => ethtool.setHashFields('eth1', 'udp4', ['source']),
      /the driver of eth1 does not let it be changed/,
    )
  })
})

test('channels are read and set, those that are not named stay', () => {
  const set: number[] = []
  withDevice(
    {
      0x3c: view => put(view, { 4: 16, 8: 16, 16: 32, 20: 1, 24: 2, 28: 3, 32: 4 }),
      0x3d: view => {
        for (let k = 5; k < 9; k++) set.push(view.getUint32(4 * k, true))
      },
    },
    () => {
      assert.deepEqual(ethtool.channels('eth1'), {
        receive: 1,
        send: 2,
        combined: 4,
        most: { receive: 16, send: 16, combined: 32 },
      })
      ethtool.setChannels('eth1', { combined: 8 })
    },
  )
  assert.deepEqual(set, [1, 2, 3, 8])
})

test('receive-side scaling: table, key and function', () => {
  withDevice(
    {
      0x46(view) {
        if (view.byteLength === 24) return put(view, { 8: 4, 12: 3 })
        view.setUint8(16, 1)
        put(view, { 24: 0, 28: 1, 32: 0, 36: 1 })
        ;[7, 8, 9].forEach((byte, k) => view.setUint8(40 + k, byte))
      },
      0x47: () => 0,
    },
    asked => {
      assert.deepEqual(ethtool.scaling('eth1'), {
        indirection: [0, 1, 0, 1],
        key: Uint8Array.of(7, 8, 9),
        toeplitz: true,
      })
      ethtool.setScaling('eth1', [1, 1], Uint8Array.of(5))
      assert.deepEqual([...asked.at(-1)!.slice(24)], [1, 0, 0, 0, 1, 0, 0, 0, 5])
    },
  )
})

test('fields of the hash, by flow', () => {
  withDevice(
    { 0x29: view => put(view, { 8: view.getUint32(4, true) === 2 ? 0x30 : 0xf0 }), 0x2a: () => 0 },
    asked => {
      assert.deepEqual(ethtool.hashFields('eth1', 'tcp6'), [
        'source',
        'destination',
        'sourcePort',
        'destinationPort',
      ])
      assert.deepEqual(ethtool.hashFields('eth1', 'udp4'), ['source', 'destination'])
      ethtool.setHashFields('eth1', 'udp4', ['source', 'destinationPort'])
      assert.deepEqual([...asked.at(-1)!.slice(0, 12)], [0x2a, 0, 0, 0, 2, 0, 0, 0, 0x90, 0, 0, 0])
    },
  )
})

test('statistics by name', () => {
  withDevice(
    {
      0x37: view => put(view, { 8: 2, 16: 2 }),
      0x1b: view =>
        ['rx_packets', 'rx_dropped'].forEach((name, k) => Buffer.from(view.buffer).write(name, 12 + 32 * k)),
      0x1d: view => [10n, 2n ** 40n].forEach((value, k) => view.setBigUint64(8 + 8 * k, value, true)),
    },
    () =>
      assert.deepEqual(
        [...ethtool.statistics('eth1')],
        [
          ['rx_packets', 10n],
          ['rx_dropped', 2n ** 40n],
        ],
      ),
  )
})
