// A sequencer's record of what came: each packet with its number and its time, as an enhanced packet block of pcapng
// (draft-ietf-opsawg-pcapng, 4.3), written into a ring that user space maps and writes to a file as it stands.
//
// One sequencer writes, one process reads. A block is never split: what is left at the ring's end, less than the longest
// block, is a block of a type for local use, which readers skip. So any stretch of the ring is a stretch of a valid
// file. Blocks are multiples of 16 bytes, by an option for local use as filler. A packet for which there is no room is
// counted. The interface's number is its index; the packet's number is the option epb_packetid (code 5).

import {
  alu64,
  atomic,
  call,
  exit,
  fp,
  jlt,
  jgt,
  jle,
  label,
  ldMapValue,
  ldx,
  mov64,
  r0,
  r1,
  r2,
  r3,
  r4,
  r5,
  r6,
  r7,
  r8,
  r9,
  st,
  stx,
} from './asm.js'
import type { Code } from './asm.js'
import type { MapDeclaration } from './maps.js'
import { mapNames, runtime } from './target.js'

export const recordMap = '.record'
/** Byte offsets in its value: u64 bytes written, u64 bytes read (by user space), u64 packets without room; the ring. */
export const recordRing = { written: 0, read: 64, lost: 8, data: 128 } as const
/** More than the longest block. */
export const longestBlock = 4096
/** Bytes of a packet that are kept. */
export const snaplen = 3600

/** Of the block: everything but packet, padding and filler. */
const around = 52
const packetAt = 28
const blockTypes = { enhancedPacket: 6, localUse: 0x8000_0f17 } as const
const options = { packetId: 5, localUse: 0x8001 } as const
const context = { data: 0, dataEnd: 4 } as const

/** A ring of `size` bytes, a power of two. */
export function recordDeclaration(size: number): MapDeclaration {
  const valueSize = recordRing.data + size + 64
  return { name: recordMap, valueSize, valueType: btf => btf.array(btf.unsigned(1), valueSize) }
}

/** record(context, number): the packet as it came, with the time and device in the runtime's map. */
export function recordFunction(size: number): Code {
  const [whole, fits, out] = [label('record.whole'), label('record.fits'), label('record.out')]
  const { written, read, lost, data } = recordRing
  return [
    label('record'),
    mov64.reg(r6, r1),
    mov64.reg(r7, r2),
    ldx.w(r8, r6, context.dataEnd),
    ldx.w(r1, r6, context.data),
    alu64.sub.reg(r8, r1),
    stx.dw(fp, -8, r8),
    jle.imm(r8, snaplen, whole),
    mov64.imm(r8, snaplen),
    whole,
    // By order: of a number that is not 0, older verifiers do not conclude that it is 1 at least.
    jlt.imm(r8, 1, out),
    ldMapValue(r9, recordMap),
    ldx.dw(r1, r9, written),
    ldx.dw(r2, r9, read),
    mov64.reg(r3, r1),
    alu64.sub.reg(r3, r2),
    jgt.imm(r3, size - 2 * longestBlock, label('record.full')),
    mov64.reg(r4, r1),
    alu64.and.imm(r4, size - 1),
    jle.imm(r4, size - longestBlock, fits),
    // The ring's end.
    mov64.reg(r5, r9),
    alu64.add.reg(r5, r4),
    mov64.imm(r3, size),
    alu64.sub.reg(r3, r4),
    st.w(r5, data, blockTypes.localUse),
    stx.w(r5, data + 4, r3),
    mov64.reg(r5, r9),
    alu64.add.imm(r5, data + size - 4),
    stx.w(r5, 0, r3),
    alu64.add.reg(r1, r3),
    mov64.imm(r4, 0),
    fits,
    stx.dw(fp, -16, r1),
    alu64.add.reg(r9, r4),
    st.w(r9, data, blockTypes.enhancedPacket),
    ldMapValue(r5, mapNames.runtime),
    ldx.w(r1, r5, runtime.device),
    stx.w(r9, data + 8, r1),
    ldx.w(r1, r5, runtime.timestamp + 4),
    stx.w(r9, data + 12, r1),
    ldx.w(r1, r5, runtime.timestamp),
    stx.w(r9, data + 16, r1),
    stx.w(r9, data + 20, r8),
    ldx.dw(r1, fp, -8),
    stx.w(r9, data + 24, r1),
    mov64.reg(r1, r6),
    mov64.imm(r2, 0),
    mov64.reg(r3, r9),
    alu64.add.imm(r3, data + packetAt),
    mov64.reg(r4, r8),
    call('xdp_load_bytes'),
    // r1 = the packet's bytes, padded; r3 = the block's; r4 = the filler's.
    mov64.reg(r1, r8),
    alu64.add.imm(r1, 3),
    alu64.and.imm(r1, 0x1ffc),
    mov64.reg(r3, r1),
    alu64.add.imm(r3, around + 15),
    alu64.and.imm(r3, 0x1ff0),
    mov64.reg(r4, r3),
    alu64.sub.reg(r4, r1),
    alu64.sub.imm(r4, around),
    alu64.and.imm(r4, 15),
    mov64.reg(r2, r9),
    alu64.add.reg(r2, r1),
    st.w(r2, data + packetAt, options.packetId | (8 << 16)),
    stx.dw(r2, data + packetAt + 4, r7),
    mov64.reg(r5, r4),
    alu64.lsh.imm(r5, 16),
    alu64.or.imm(r5, options.localUse),
    stx.w(r2, data + packetAt + 12, r5),
    alu64.add.reg(r2, r4),
    st.w(r2, data + packetAt + 16, 0),
    stx.w(r2, data + packetAt + 20, r3),
    stx.w(r9, data + 4, r3),
    ldx.dw(r1, fp, -16),
    alu64.add.reg(r1, r3),
    ldMapValue(r2, recordMap, written),
    // Ordered: whoever sees the new end sees the block.
    atomic.xchg('dw', r2, 0, r1),
    out,
    mov64.imm(r0, 0),
    exit(),
    label('record.full'),
    ldx.dw(r1, r9, lost),
    alu64.add.imm(r1, 1),
    stx.dw(r9, lost, r1),
    mov64.imm(r0, 0),
    exit(),
  ]
}
