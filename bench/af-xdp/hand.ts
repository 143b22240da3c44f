/**
 * The recipe: what one would write by hand for one queue and one purpose. An XDP program of four instructions that
 * redirects everything, and one loop in WebAssembly that reads RX entries, counts packets by source, and gives frames back.
 */

import { br_if, i32, i64, if_, label, local, loop } from '../../src/backend/wasm/asm.js'
import { encode } from '../../src/backend/wasm/encode.js'
import { importedMemory } from '../../src/backend/wasm/batch.js'
import { Module } from '../../src/backend/wasm/module.js'
import { pool, socket } from '../../src/backend/wasm/rings/memory.js'
import { xskmapValue } from '../../src/sys/af-xdp.js'
import type { XdpSocket } from '../../src/sys/af-xdp.js'
import { call, exit, instructionBytes, loadMap, moveImmediate } from '../../src/sys/instruction.js'
import { createMap } from '../../src/sys/map.js'
import type { BpfMap } from '../../src/sys/map.js'
import { loadProgram } from '../../src/sys/program.js'
import type { BpfProgram } from '../../src/sys/program.js'

/** Everything of queue 0 to a socket; dropped while there is none. */
export function handSteering(): {
  program: BpfProgram
  map: BpfMap
  set(socket: XdpSocket): void
  close(): void
} {
  const map = createMap({ type: 'xskmap', name: 'hand', keySize: 4, valueSize: 4, maxEntries: 1 })
  const program = loadProgram({
    type: 'xdp',
    name: 'hand',
    instructions: instructionBytes([
      ...loadMap(1, map.fd),
      moveImmediate(2, 0),
      moveImmediate(3, 1),
      call(51),
      exit,
    ]),
    licence: 'Apache-2.0',
  })
  return {
    program,
    map,
    set: socket => void map.update(new Uint8Array(4), xskmapValue(socket)),
    close: () => [program, map].forEach(object => object.close()),
  }
}

/** handle(socket, most, table): handles up to `most` packets; `table` is 64 Ki u32. Answers how many. */
export function handModule(): WebAssembly.Module {
  const module = new Module('hand')
  module.importMemory('env', 'memory', importedMemory)
  const func = module.func('handle', { at: 'i32', most: 'i32', table: 'i32' }, ['i32'])
  module.export('handle', func)
  const { at, most, table } = func.params
  const [position, count, left, entry, home, packet, filled, slot] = [
    'position', 'count', 'left', 'entry', 'home', 'packet', 'filled', 'slot',
  ].map(name => func.local(name, 'i32')) // prettier-ignore
  const next = label('next')
  func.emit(
    [local.get(at), i32.load(socket.pool), local.set(home)],
    [local.get(at), i32.load(socket.receiveConsumer), i32.load(), local.set(position)],
    [local.get(at), i32.load(socket.receiveProducer), i32.atomic.load(), local.get(position), i32.sub],
    [local.tee(count), local.get(most), i32.gt_u, if_([local.get(most), local.set(count)])],
    [local.get(home), i32.load(pool.fillWritten), local.set(filled)],
    [local.get(count), local.tee(left)],
    if_([
      loop(next, [
        [local.get(at), i32.load(socket.receiveFirst)],
        [local.get(position), local.get(at), i32.load(socket.receiveMask), i32.and, i32.const(4), i32.shl],
        [i32.add, local.set(entry)],
        [local.get(entry), i32.load(), local.get(at), i32.load(socket.memory), i32.add, local.set(packet)],
        [local.get(entry), i32.load(8), i32.const(34), i32.ge_u],
        [local.get(packet), i32.load16_u(12), i32.const(8), i32.eq, i32.and],
        if_([
          [local.get(packet), i32.load(26, 1), i32.const(2_654_435_761), i32.mul, i32.const(16), i32.shr_u],
          [i32.const(2), i32.shl, local.get(table), i32.add, local.tee(slot)],
          [local.get(slot), i32.load(), i32.const(1), i32.add, i32.store()],
        ]),
        [local.get(home), i32.load(pool.fillFirst)],
        [
          local.get(filled),
          local.get(home),
          i32.load(pool.fillMask),
          i32.and,
          i32.const(3),
          i32.shl,
          i32.add,
        ],
        [local.get(entry), i64.load(), i64.store()],
        [local.get(filled), i32.const(1), i32.add, local.set(filled)],
        [local.get(position), i32.const(1), i32.add, local.set(position)],
        [local.get(left), i32.const(1), i32.sub, local.tee(left), br_if(next)],
      ]),
      [local.get(at), i32.load(socket.receiveConsumer), local.get(position), i32.atomic.store()],
      [local.get(home), local.get(filled), i32.store(pool.fillWritten)],
      [local.get(home), i32.load(pool.fillProducer), local.get(filled), i32.atomic.store()],
    ]),
    local.get(count),
  )
  return new WebAssembly.Module(encode(module))
}
