import assert from 'node:assert/strict'
import { test } from 'node:test'
import { XdpSocket } from './af-xdp.js'
import { withFakeKernel } from './testing.js'

const [SOL_SOCKET, SO_BUSY_POLL, SO_INCOMING_NAPI_ID, SO_PREFER_BUSY_POLL] = [1, 46, 56, 69]

/** What a socket says of busy polling on a kernel that keeps its options and has `napi` for the queue. */
function busyPoll(asked: number | undefined, napi: number | undefined): number {
  const options = new Map<number, number>()
  if (napi !== undefined) options.set(SO_INCOMING_NAPI_ID, napi)
  let found = -1
  withFakeKernel(
    {
      other: {
        setsockopt(_fd, level, name, value) {
          assert.equal(level, SOL_SOCKET)
          options.set(name, new DataView(value.buffer, value.byteOffset).getUint32(0, true))
          return 0
        },
        getsockopt(_fd, _level, name, into) {
          const value = options.get(name)
          if (value === undefined) return -92
          new DataView(into.buffer, into.byteOffset).setUint32(0, value, true)
          return 4
        },
      },
    },
    () => {
      const socket = new XdpSocket(7)
      if (asked !== undefined) socket.preferBusyPoll(asked, 64)
      found = socket.busyPoll
    },
  )
  if (asked !== undefined)
    assert.deepEqual([options.get(SO_PREFER_BUSY_POLL), options.get(SO_BUSY_POLL)], [1, asked])
  return found
}

test('busy polling is in force only where it was asked for and the driver has something to poll', () => {
  assert.equal(busyPoll(20, 8193), 20)
  assert.equal(busyPoll(20, 0), 0, 'the kernel takes the options of a socket that it will never poll')
  assert.equal(busyPoll(20, undefined), 0, 'a kernel without busy polling')
  assert.equal(busyPoll(undefined, 8193), 0)
})
