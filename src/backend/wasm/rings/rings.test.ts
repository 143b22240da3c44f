import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertWellTyped } from '../check.js'
import { pool, poolBytes, pools, socket, socketBytes, target } from './memory.js'
import { ringLoops, ringsModule } from './module.js'

/** Rings in plain memory with a kernel played by the test: two sockets on pools of their own, of 8 frames each. */
class Bench {
  readonly memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true })
  readonly view = new DataView(this.memory.buffer)
  readonly loops = ringLoops(this.memory)
  readonly frames = 8
  readonly descriptors = 0x8000
  readonly list = 0x7000
  /** Frames that the kernel may write to, and those that it is to send, per pool. */
  readonly free: number[][] = [[], []]

  constructor() {
    this.set(this.list + pools.count, 2)
    this.set(this.list + pools.shift, 11 + Math.log2(this.frames))
    for (const k of [0, 1]) {
      this.set(this.list + pools.first + 4 * k, this.pool(k))
      const [fill, completion, receive, send] = [0, 1, 2, 3].map(n => 0x1000 * (k + 1) + 0x400 * n)
      const p = this.pool(k)
      this.set(p + pool.fillProducer, fill)
      this.set(p + pool.fillFirst, fill + 64)
      this.set(p + pool.fillMask, this.frames - 1)
      this.set(p + pool.completionProducer, completion)
      this.set(p + pool.completionConsumer, completion + 4)
      this.set(p + pool.completionFirst, completion + 64)
      this.set(p + pool.completionMask, this.frames - 1)
      this.set(p + pool.open, 1)
      const s = this.socket(k)
      this.set(s + socket.receiveProducer, receive)
      this.set(s + socket.receiveConsumer, receive + 4)
      this.set(s + socket.receiveFirst, receive + 64)
      this.set(s + socket.receiveMask, this.frames - 1)
      this.set(s + socket.sendProducer, send)
      this.set(s + socket.sendConsumer, send + 4)
      this.set(s + socket.sendFirst, send + 64)
      // A short TX ring, so that it fills up.
      this.set(s + socket.sendMask, 3)
      this.set(s + socket.memory, 0x10000)
      this.set(s + socket.device, 7 + k)
      this.set(s + socket.pool, p)
      this.set(s + socket.targets, 0x7800)
      this.set(s + socket.targetCount, 2)
      this.set(0x7800 + 8 * k + target.device, 7 + k)
      this.set(0x7800 + 8 * k + target.socket, s)
      for (let n = 0; n < this.frames; n++) this.free[k].push(2048 * (this.frames * k + n))
    }
  }

  pool = (k: number): number => 0x6000 + poolBytes * k
  socket = (k: number): number => 0x6400 + socketBytes * k
  set = (at: number, value: number): void => this.view.setUint32(at, value, true)
  get = (at: number): number => this.view.getUint32(at, true)
  counter = (k: number, field: number): number => Number(this.view.getBigUint64(this.socket(k) + field, true))

  /** The kernel receives packets of these lengths on a queue. */
  arrive(k: number, lengths: readonly number[]): number {
    const s = this.socket(k)
    let arrived = 0
    for (const length of lengths) {
      const frame = this.free[k].shift()
      if (frame === undefined) break
      const at = this.get(this.get(s + socket.receiveProducer))
      const entry = this.get(s + socket.receiveFirst) + 16 * (at & (this.frames - 1))
      this.view.setBigUint64(entry, BigInt(frame + 256), true)
      this.set(entry + 8, length)
      this.set(this.get(s + socket.receiveProducer), at + 1)
      arrived++
    }
    return arrived
  }

  /** The kernel takes what it was given: frames of FILL, and descriptors of TX, which it completes. */
  serve(k: number, send = true): number {
    const [p, s] = [this.pool(k), this.socket(k)]
    const shown = this.get(this.get(p + pool.fillProducer))
    for (; this.taken[k] < shown; this.taken[k]++) {
      const entry = this.get(p + pool.fillFirst) + 8 * (this.taken[k] & (this.frames - 1))
      this.free[k].push(Number(this.view.getBigUint64(entry, true)) & ~2047)
    }
    let sent = 0
    const at = this.get(s + socket.sendConsumer)
    for (; ; sent++) {
      if (!send || this.get(at) === this.get(this.get(s + socket.sendProducer))) break
      const entry = this.get(s + socket.sendFirst) + 16 * (this.get(at) & 3)
      const done = this.get(this.get(p + pool.completionProducer))
      // The kernel sends nothing whose completion it could not tell.
      if (done - this.get(this.get(p + pool.completionConsumer)) === this.frames) break
      this.view.setBigUint64(
        this.get(p + pool.completionFirst) + 8 * (done & (this.frames - 1)),
        this.view.getBigUint64(entry, true),
        true,
      )
      this.set(this.get(p + pool.completionProducer), done + 1)
      this.set(at, this.get(at) + 1)
    }
    return sent
  }

  readonly taken = [0, 0]
}

test('the module is well typed', () => {
  assertWellTyped(ringsModule())
})

test('descriptors are those of captures, and verdicts end in the right ring', () => {
  const b = new Bench()
  b.arrive(0, [60, 61, 62, 63, 64])
  assert.equal(b.loops.receive(b.socket(0), b.descriptors, 4, 99n), 4)
  assert.deepEqual(
    [0, 4, 8, 12, 16, 24, 28].map(at => b.get(b.descriptors + 32 + at)),
    [0x10000 + 2048 + 256, 61, 61, 7, 99, 0, 0],
  )
  // Drop, transmit, redirect to 8, redirect to nowhere.
  for (const [k, verdict] of [1, 3, 4 + 256 * 8, 4 + 256 * 9].entries())
    b.set(b.descriptors + 32 * k + 24, verdict)
  b.loops.dispatch(b.socket(0), b.descriptors, 4)
  assert.deepEqual(
    ['dropped', 'transmitted', 'redirected', 'noTarget', 'received', 'receivedBytes'].map(name =>
      b.counter(0, socket[name as keyof typeof socket]),
    ),
    [1, 1, 1, 1, 4, 60 + 61 + 62 + 63],
  )
  assert.deepEqual([b.get(b.socket(0) + socket.pending), b.get(b.socket(1) + socket.pending)], [1, 1])
  assert.deepEqual([b.serve(0), b.serve(1)], [1, 1])
  assert.equal(b.loops.reap(b.list), 2)
  b.serve(0)
  // All but the one not received yet are back, that which left through the other queue too.
  assert.deepEqual(
    b.free[0].toSorted((x, y) => x - y),
    [0, 1, 2, 3, 5, 6, 7].map(n => 2048 * n),
  )
  assert.equal(b.free[1].length, 8)
})

test('a full TX ring costs packets, which are counted, and never frames', () => {
  const b = new Bench()
  let seed = 1
  const draw = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % below
  }
  const sum = (k: number): number =>
    [
      socket.aborted,
      socket.dropped,
      socket.passed,
      socket.transmitted,
      socket.redirected,
      socket.sendRingFull,
      socket.noKernel,
      socket.noTarget,
    ].reduce((a, field) => a + b.counter(k, field), 0)
  for (let round = 0; round < 20_000; round++) {
    for (const k of [0, 1]) {
      b.arrive(k, Array<number>(draw(6)).fill(60))
      const count = b.loops.receive(b.socket(k), b.descriptors, 1 + draw(8), 0n)
      for (let n = 0; n < count; n++)
        b.set(b.descriptors + 32 * n + 24, [0, 1, 2, 3, 4 + 256 * 7, 4 + 256 * 8, 4][draw(7)])
      b.loops.dispatch(b.socket(k), b.descriptors, count)
      b.serve(k, draw(3) === 0)
    }
    if (draw(2)) b.loops.reap(b.list)
  }
  for (const k of [0, 1]) {
    b.serve(0)
    b.serve(1)
    b.loops.reap(b.list)
    assert.equal(sum(k), b.counter(k, socket.received))
    assert.ok(b.counter(k, socket.sendRingFull) > 100)
    const count = b.loops.receive(b.socket(k), b.descriptors, 8, 0n)
    for (let n = 0; n < count; n++) b.set(b.descriptors + 32 * n + 24, 1)
    b.loops.dispatch(b.socket(k), b.descriptors, count)
  }
  b.serve(0)
  b.serve(1)
  for (const k of [0, 1])
    assert.deepEqual(
      b.free[k].toSorted((x, y) => x - y),
      Array.from({ length: 8 }, (_, n) => 2048 * (8 * k + n)),
    )
})
