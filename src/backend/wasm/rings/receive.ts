// From an RX ring to packet descriptors, as all program loops take them. The packets stay where the kernel wrote them.

import { br_if, i32, i64, if_, label, local, loop, select } from '../asm.js'
import { descriptor, descriptorBytes } from '../memory.js'
import type { Module } from '../module.js'
import { ringDescriptorBytes, socket } from './memory.js'
import { add64 } from './step.js'

/**
 * receive(socket, desc, most, now): takes up to `most` packets off the socket's RX ring and writes their descriptors;
 * answers how many. The timestamp of all is `now`. The ring's entries are free again, the frames are the caller's.
 */
export function receive(module: Module): void {
  const func = module.func('receive', { socket: 'i32', desc: 'i32', most: 'i32', now: 'i64' }, ['i32'])
  module.export('receive', func)
  const { socket: at, desc, most, now } = func.params
  const [position, count, left, entry, bytes, mask, first, memory, device] = [
    'position', 'count', 'left', 'entry', 'bytes', 'mask', 'first', 'memory', 'device',
  ].map(name => func.local(name, 'i32')) // prettier-ignore
  const again = label('next')
  func.emit(
    [local.get(at), i32.load(socket.receiveConsumer), i32.load(), local.set(position)],
    [local.get(at), i32.load(socket.receiveProducer), i32.atomic.load(), local.get(position), i32.sub],
    [local.tee(count), local.get(most), local.get(count), local.get(most), i32.lt_u, select],
    [local.tee(count), local.set(left)],
    [local.get(at), i32.load(socket.receiveFirst), local.set(first)],
    [local.get(at), i32.load(socket.receiveMask), local.set(mask)],
    [local.get(at), i32.load(socket.memory), local.set(memory)],
    [local.get(at), i32.load(socket.device), local.set(device)],
    local.get(count),
    if_([
      loop(again, [
        [local.get(first), local.get(position), local.get(mask), i32.and],
        [i32.const(Math.log2(ringDescriptorBytes)), i32.shl, i32.add, local.set(entry)],
        [local.get(desc), local.get(memory), local.get(entry), i32.load(), i32.add],
        i32.store(descriptor.address),
        [local.get(desc), local.get(entry), i32.load(8), i32.store(descriptor.length)],
        [local.get(desc), local.get(entry), i32.load(8), i32.store(descriptor.original)],
        [local.get(desc), local.get(device), i32.store(descriptor.device)],
        [local.get(desc), local.get(now), i64.store(descriptor.timestamp)],
        // The verdict, and behind it the link word, which is 0 for an Ethernet packet as received.
        [local.get(desc), i64.const(0), i64.store(descriptor.verdict)],
        [local.get(bytes), local.get(entry), i32.load(8), i32.add, local.set(bytes)],
        [local.get(desc), i32.const(descriptorBytes), i32.add, local.set(desc)],
        [local.get(position), i32.const(1), i32.add, local.set(position)],
        [local.get(left), i32.const(1), i32.sub, local.tee(left), br_if(again)],
      ]),
      // Only now may the kernel write over the entries.
      [local.get(at), i32.load(socket.receiveConsumer), local.get(position), i32.atomic.store()],
      add64(at, socket.received, [local.get(count), i64.extend_i32_u]),
      add64(at, socket.receivedBytes, [local.get(bytes), i64.extend_i32_u]),
    ]),
    local.get(count),
  )
}
