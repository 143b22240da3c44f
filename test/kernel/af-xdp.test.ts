import assert from 'node:assert/strict'
import { test } from 'node:test'
import { up } from '../../src/lab/lab.js'
import { openXdpSocket, ringBytes, xskmapValue } from '../../src/sys/af-xdp.js'
import type { Ring } from '../../src/sys/af-xdp.js'
import { Unsupported } from '../../src/sys/failure.js'
import { call, exit, instructionBytes, loadMap, moveImmediate } from '../../src/sys/instruction.js'
import { LiveFrameRun, park } from '../../src/sys/live-frames.js'
import { createMap } from '../../src/sys/map.js'
import { pageSize } from '../../src/sys/overlay.js'
import { loadProgram } from '../../src/sys/program.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { counterProgram, frame, verdicts } from './counter.js'
import { withoutAfXdp } from './probes.js'

const frames = 64
const frameSize = 2048
const memory = new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true })
const words = new Uint32Array(memory.buffer)
const bytes = new Uint8Array(memory.buffer)

/** Produces entries: addresses of frames for fill, descriptors for send. */
function produce(
  ring: Ring,
  kind: 'fill' | 'send',
  entries: readonly (readonly [address: number, length: number])[],
): void {
  const width = kind === 'fill' ? 2 : 4
  const at = Atomics.load(words, ring.producer / 4)
  entries.forEach(([address, length], k) => {
    const slot = ring.first / 4 + ((at + k) & (ring.entries - 1)) * width
    words.fill(0, slot, slot + width)
    words[slot] = address
    if (kind === 'send') words[slot + 2] = length
  })
  Atomics.store(words, ring.producer / 4, at + entries.length)
}

/** Consumes what a receive ring holds. */
function consume(ring: Ring): [address: number, length: number][] {
  const [from, to] = [Atomics.load(words, ring.consumer / 4), Atomics.load(words, ring.producer / 4)]
  const found: [number, number][] = []
  for (let n = from; n !== to; n = (n + 1) >>> 0) {
    const slot = ring.first / 4 + (n & (ring.entries - 1)) * 4
    found.push([words[slot], words[slot + 2]])
  }
  Atomics.store(words, ring.consumer / 4, to)
  return found
}

test(
  'packets reach WebAssembly memory through AF_XDP, and leave it again',
  { skip: withoutAfXdp },
  async () => {
    const lab = up({
      namespaces: { left: {}, right: {} },
      pairs: [
        {
          ends: [
            { namespace: 'left', device: 'a' },
            { namespace: 'right', device: 'b' },
          ],
        },
      ],
    })
    const sockets = createMap({ type: 'xskmap', name: 'xsks_map', keySize: 4, valueSize: 4, maxEntries: 1 })
    const redirect = loadProgram({
      type: 'xdp',
      name: 'test_redirect',
      instructions: instructionBytes([
        ...loadMap(1, sockets.fd),
        moveImmediate(2, 0),
        moveImmediate(3, 1),
        call(51),
        exit,
      ]),
      licence: 'Apache-2.0',
    })
    const sender = counterProgram(verdicts.transmit, 'test_sender')
    const sink = counterProgram(verdicts.drop, 'test_sink')
    const [near, far] = [lab.interface('left', 'a'), lab.interface('right', 'b')]
    const binding = { interfaceIndex: far.index, queue: 0, mode: 'copy' } as const
    const key = new Uint8Array(4)
    try {
      // Twice, because the first socket must give the queue back.
      for (let round = 0; round < 2; round++) {
        const socket = lab.inNamespace('right', openXdpSocket)
        socket.registerMemory({ buffer: memory.buffer, offset: 0, length: frames * frameSize, frameSize })
        let place = frames * frameSize
        const ring = (kind: 'fill' | 'completion' | 'receive' | 'send'): Ring => {
          const made = socket.makeRing(kind, frames, memory.buffer, place)
          assert.ok(made.bytes.length <= ringBytes(kind, frames))
          place += ringBytes(kind, frames)
          return made
        }
        const [fill, completion, receive, send] = [
          ring('fill'),
          ring('completion'),
          ring('receive'),
          ring('send'),
        ]
        await socket.bindWhenFree(binding)
        assert.equal(socket.zeroCopy, false)
        sockets.update(key, xskmapValue(socket))
        produce(
          fill,
          'fill',
          Array.from({ length: 32 }, (_, k) => [k * frameSize, 0]),
        )

        const attachment = lab.inNamespace('right', () => attachXdp(redirect, 'b', 'native'))
        lab.inNamespace('left', () => {
          const parked = park(sender.program, near.index)
          new LiveFrameRun(sender.program, {
            data: frame(100),
            ingress: { interfaceIndex: near.index, queue: 0 },
          }).run(20)
          parked.close()
        })
        const received = consume(receive)
        assert.equal(received.length, 20)
        for (const [address, length] of received) {
          assert.equal(length, 100)
          assert.deepEqual(bytes.slice(address, address + length), frame(100))
        }
        assert.equal(socket.statistics().dropped, 0n)

        const attached = lab.inNamespace('left', () => attachXdp(sink.program, 'a', 'native'))
        produce(send, 'send', received)
        for (let k = 0; k < 10 && Atomics.load(words, completion.producer / 4) < 20; k++) socket.wake()
        assert.equal(Atomics.load(words, completion.producer / 4), 20)
        assert.equal(sink.count(), 20 * (round + 1))
        attached.detach()
        attachment.detach()
        socket.close()
        assert.deepEqual(
          [...bytes.slice(receive.producer, receive.producer + pageSize)],
          Array<number>(pageSize).fill(0),
        )
      }

      lab.inNamespace('left', () => {
        const socket = openXdpSocket()
        const binding = { interfaceIndex: near.index, queue: 0 }
        assert.throws(
          () => socket.registerMemory({ buffer: memory.buffer, offset: 0, length: 8192, frameSize: 1024 }),
          /2048 or 4096 bytes, not 1024/,
        )
        assert.throws(() => socket.makeRing('fill', 3, memory.buffer, 0), /no power of two/)
        socket.registerMemory({ buffer: memory.buffer, offset: 0, length: frames * frameSize, frameSize })
        socket.makeRing('fill', 64, memory.buffer, frames * frameSize)
        socket.makeRing('completion', 64, memory.buffer, frames * frameSize + 2 * pageSize)
        socket.makeRing('receive', 64, memory.buffer, frames * frameSize + 4 * pageSize)
        assert.throws(() => socket.bind({ ...binding, mode: 'zeroCopy' }), Unsupported)
        assert.throws(() => socket.bind({ ...binding, queue: 9, mode: 'copy' }), /no such queue/)
        socket.close()
      })
    } finally {
      for (const object of [sender, sink, redirect, sockets]) object.close()
      lab.down()
    }
  },
)
