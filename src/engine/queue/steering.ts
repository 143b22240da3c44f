// Steering in XDP: our own program takes packets that match from the queues that are open, and leaves all others alone.
//
// It runs before the kernel's stack on every queue of the interface. What matches and comes in on an open queue is
// redirected to a socket of it, in turn where there are several; everything else goes on as if nothing were attached,
// and so do matching packets of other queues, which are counted. Once this process ends, however it ends, the program
// and its map of sockets go with it.

import {
  alu32,
  alu64,
  be32,
  call,
  exit,
  ja,
  jeq,
  jge,
  jgt,
  jlt,
  jmp32,
  jne,
  label,
  ldMap,
  ldMapValue,
  ldx,
  mov64,
  stx,
} from '../../backend/ebpf/asm.js'
import { r0, r1, r2, r3, r4, r6, r7, r8, r9 } from '../../backend/ebpf/asm.js'
import type { Code } from '../../backend/ebpf/asm.js'
import { encode, link } from '../../backend/ebpf/encode.js'
import { xskmapValue } from '../../sys/af-xdp.js'
import type { XdpSocket } from '../../sys/af-xdp.js'
import { createMap, mapFlags } from '../../sys/map.js'
import type { BpfMap } from '../../sys/map.js'
import { mapMemory } from '../../sys/map-memory.js'
import { loadProgram } from '../../sys/program.js'
import type { BpfProgram } from '../../sys/program.js'
import type { Match, Network } from './match.js'

/** Queues that the program knows: those above are left to the kernel. */
export const mostQueues = 64

/** What is counted per queue: u64 taken, u64 matching but left to the kernel, u32 whose turn is next. */
const counts = { taken: 0, elsewhere: 8, turn: 16, bytes: 32 } as const
const XDP_PASS = 2
const XDP_REDIRECT = 4

/** The loaded program with its map of sockets. */
export interface Steering {
  readonly program: BpfProgram
  /** Has packets of a queue go to these sockets, as many as were promised; or to none, and so to the kernel. */
  setSockets(queue: number, sockets: readonly XdpSocket[] | undefined): void
  /** Packets of a queue that were handed to a socket, and that matched but came in on a queue that is not open. */
  counts(queue: number): { readonly taken: number; readonly elsewhere: number }
  /** Matching packets of all queues that were left to the kernel. */
  elsewhere(): number
  close(): void
}

/** Loads it; `sockets` on each queue take turns. Nothing is attached yet. */
export function loadSteering(match: Match, sockets = 1): Steering {
  const state = createMap({
    type: 'array',
    name: 'steering',
    keySize: 4,
    valueSize: counts.bytes * mostQueues,
    maxEntries: 1,
    flags: mapFlags.MMAPABLE,
  })
  let map: BpfMap | undefined
  try {
    map = createMap({
      type: 'xskmap',
      name: 'xsks_map',
      keySize: 4,
      valueSize: 4,
      maxEntries: mostQueues * sockets,
    })
    const xsks = map
    const instructions = link(
      encode(code(match, sockets)),
      new Map([
        ['state', state.fd],
        ['xsks', xsks.fd],
      ]),
    )
    const program = loadProgram({ type: 'xdp', name: 'hairpin_steer', instructions, licence: 'Apache-2.0' })
    const memory = mapMemory(state)
    const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset)
    const key = (n: number): Uint8Array => new Uint8Array(new Uint32Array([n]).buffer)
    return {
      program,
      setSockets(queue, open) {
        for (let s = 0; s < sockets; s++) {
          const at = key(queue * sockets + s)
          if (open) xsks.update(at, xskmapValue(open[s]))
          else xsks.delete(at)
        }
      },
      counts(queue) {
        const at = counts.bytes * queue
        return {
          taken: Number(view.getBigUint64(at + counts.taken, true)),
          elsewhere: Number(view.getBigUint64(at + counts.elsewhere, true)),
        }
      },
      elsewhere() {
        let sum = 0
        for (let q = 0; q < mostQueues; q++)
          sum += Number(view.getBigUint64(counts.bytes * q + counts.elsewhere, true))
        return sum
      },
      close() {
        program.close()
        xsks.close()
        memory.unmap()
        state.close()
      },
    }
  } catch (error) {
    map?.close()
    state.close()
    throw error
  }
}

const [context, data, end, queue] = [r6, r7, r8, r9]
const [no, yes, tell, store] = ['no', 'yes', 'tell', 'store'].map(label)

function code(match: Match, sockets: number): Code {
  const key = r2
  return [
    mov64.reg(context, r1),
    ldx.w(queue, context, 16),
    jge.imm(queue, mostQueues, no),
    ldx.w(data, context, 0),
    ldx.w(end, context, 4),
    ...tests(match),
    yes,
    ...(sockets === 1
      ? [mov64.reg(key, queue)]
      : [
          // One CPU at a time serves a queue, so this is no race.
          ldMapValue(r1, 'state'),
          mov64.reg(r3, queue),
          alu64.mul.imm(r3, counts.bytes),
          alu64.add.reg(r1, r3),
          ldx.w(r3, r1, counts.turn),
          mov64.reg(r4, r3),
          alu64.add.imm(r4, 1),
          jlt.imm(r4, sockets, store),
          mov64.imm(r4, 0),
          store,
          stx.w(r1, counts.turn, r4),
          mov64.reg(key, queue),
          alu64.mul.imm(key, sockets),
          alu64.add.reg(key, r3),
        ]),
    ldMap(r1, 'xsks'),
    mov64.imm(r3, XDP_PASS),
    call('redirect_map'),
    alu64.mul.imm(queue, counts.bytes),
    ldMapValue(r1, 'state'),
    alu64.add.reg(r1, queue),
    jeq.imm(r0, XDP_REDIRECT, tell),
    alu64.add.imm(r1, counts.elsewhere - counts.taken),
    tell,
    ldx.dw(r2, r1, counts.taken),
    alu64.add.imm(r2, 1),
    stx.dw(r1, counts.taken, r2),
    exit(),
    no,
    mov64.imm(r0, XDP_PASS),
    exit(),
  ]
}

/** Bytes of a number of 16 bits as a little-endian load sees them. */
const swapped = (n: number): number => ((n & 0xff) << 8) | (n >>> 8)

/** Goes to `no` where fewer than `bytes` of the packet are there. */
const needs = (bytes: number, base = data): Code => [
  mov64.reg(r4, base),
  alu64.add.imm(r4, bytes),
  jgt.reg(r4, end, no),
]

/** Falls through, or goes to `no`. */
function tests(match: Match): Code {
  const { family, protocol, source, destination, sourcePort, destinationPort } = match
  if (Object.keys(match).length === 1) return []
  const v6 = label('ipv6')
  const ports = (base: number, at: number): Code => [
    ...(sourcePort === undefined ? [] : [ldx.h(r2, base, at), jne.imm(r2, swapped(sourcePort), no)]),
    ...(destinationPort === undefined
      ? []
      : [ldx.h(r2, base, at + 2), jne.imm(r2, swapped(destinationPort), no)]),
  ]
  const hasPorts = sourcePort !== undefined || destinationPort !== undefined
  const ipv4: Code = [
    ...needs(34),
    ...(protocol === undefined ? [] : [ldx.b(r2, data, 23), jne.imm(r2, protocol, no)]),
    ...address(source, 26),
    ...address(destination, 30),
    ...(hasPorts
      ? [
          // Later fragments have no ports.
          ldx.h(r2, data, 20),
          alu64.and.imm(r2, swapped(0x1fff)),
          jne.imm(r2, 0, no),
          ldx.b(r2, data, 14),
          alu64.and.imm(r2, 0xf),
          alu64.lsh.imm(r2, 2),
          jlt.imm(r2, 20, no),
          mov64.reg(r3, data),
          alu64.add.reg(r3, r2),
          ...needs(18, r3),
          ...ports(r3, 14),
        ]
      : []),
    ja(yes),
  ]
  const ipv6: Code = [
    v6,
    ...needs(54),
    ...(protocol === undefined ? [] : [ldx.b(r2, data, 20), jne.imm(r2, protocol, no)]),
    ...address(source, 22),
    ...address(destination, 38),
    ...(hasPorts ? [...needs(58), ...ports(data, 54)] : []),
  ]
  return [
    ...needs(14),
    ldx.h(r2, data, 12),
    ...(family === 4 ? [] : [jeq.imm(r2, swapped(0x86dd), v6)]),
    ...(family === 6 ? [ja(no)] : [jne.imm(r2, swapped(0x0800), no), ...ipv4]),
    ...(family === 4 ? [] : ipv6),
  ]
}

/** Compares an address at this offset, by words, as far as its prefix goes. */
function address(network: Network | undefined, offset: number): Code {
  if (network === undefined) return []
  const view = new DataView(network.bytes.buffer, network.bytes.byteOffset)
  const list: Code[] = []
  for (let word = 0; 32 * word < network.prefix; word++) {
    const bits = Math.min(32, network.prefix - 32 * word)
    const mask = (0xffff_ffff << (32 - bits)) | 0
    list.push([
      ldx.w(r2, data, offset + 4 * word),
      be32(r2),
      ...(bits === 32 ? [] : [alu32.and.imm(r2, mask)]),
      jmp32.jne.imm(r2, view.getUint32(4 * word) & mask, no),
    ])
  }
  return list.flat()
}
