// bpf(2): the call itself, the commands, and the attributes it takes.
//
// Read this first in this folder; maps are in map.ts, programs in program.ts, running them in test-run.ts, attaching
// in link.ts and netlink-xdp.ts, looking at what is loaded in info.ts. Structure layouts are those of linux/bpf.h; they are
// little-endian, as every machine we run on.

import { SystemError, Unsupported } from './failure.js'
import type { Explanation } from './failure.js'
import { kernel } from './kernel.js'
import type { Bytes } from './kernel.js'

/** Commands of bpf(2). */
export const command = {
  MAP_CREATE: 0,
  MAP_LOOKUP_ELEM: 1,
  MAP_UPDATE_ELEM: 2,
  MAP_DELETE_ELEM: 3,
  MAP_GET_NEXT_KEY: 4,
  PROG_LOAD: 5,
  OBJ_PIN: 6,
  OBJ_GET: 7,
  PROG_TEST_RUN: 10,
  PROG_GET_NEXT_ID: 11,
  MAP_GET_NEXT_ID: 12,
  PROG_GET_FD_BY_ID: 13,
  MAP_GET_FD_BY_ID: 14,
  OBJ_GET_INFO_BY_FD: 15,
  RAW_TRACEPOINT_OPEN: 17,
  BTF_LOAD: 18,
  BTF_GET_FD_BY_ID: 19,
  MAP_FREEZE: 22,
  BTF_GET_NEXT_ID: 23,
  MAP_LOOKUP_BATCH: 24,
  MAP_LOOKUP_AND_DELETE_BATCH: 25,
  MAP_UPDATE_BATCH: 26,
  MAP_DELETE_BATCH: 27,
  LINK_CREATE: 28,
  LINK_UPDATE: 29,
  LINK_GET_FD_BY_ID: 30,
  LINK_GET_NEXT_ID: 31,
  ENABLE_STATS: 32,
  LINK_DETACH: 34,
} as const

export type Command = keyof typeof command

/** union bpf_attr under construction: fields at byte offsets, and the memory that its pointers point to. */
export class Attributes {
  readonly bytes: Bytes
  readonly #view: DataView
  /** Pointed-to memory, kept from the garbage collector until the call is over. */
  readonly #held: ArrayBufferView[] = []

  /** `size` in bytes: up to the end of the last field that the command reads or writes. */
  constructor(size: number) {
    const buffer = new ArrayBuffer(size)
    this.bytes = new Uint8Array(buffer)
    this.#view = new DataView(buffer)
  }

  u32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true)
    return this
  }

  u64(offset: number, value: bigint): this {
    this.#view.setBigUint64(offset, value, true)
    return this
  }

  /** A pointer to bytes; 0 for none. */
  pointer(offset: number, bytes: ArrayBufferView | undefined): this {
    if (bytes === undefined || bytes.byteLength === 0) return this.u64(offset, 0n)
    this.#held.push(bytes)
    return this.u64(offset, kernel().address(bytes))
  }

  /** A pointer to text, zero-terminated. */
  text(offset: number, text: string): this {
    return this.pointer(offset, zeroTerminated(text))
  }

  /** An object's name: at most 15 characters are kept, others than letters, digits, `_` and `.` become `_`. */
  name(offset: number, name: string): this {
    this.bytes.set(new TextEncoder().encode(objectName(name)), offset)
    return this
  }

  read32(offset: number): number {
    return this.#view.getUint32(offset, true)
  }

  /** Makes the call: its result, or the negative error number. May be repeated. */
  call(name: Command): number {
    const result = kernel().bpf(command[name], this.bytes)
    // Reading `#held` after the call is what keeps the memory alive during it.
    return this.#held.length < 0 ? 0 : result
  }
}

/** A name as the kernel accepts it for programs and maps. */
export function objectName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_.]/g, '_').slice(0, 15)
}

export function zeroTerminated(text: string): Bytes {
  return new TextEncoder().encode(`${text}\0`)
}

/** Makes the call and throws a `SystemError` if it fails; EPERM explains itself. */
export function bpf(name: Command, attributes: Attributes, explain?: (errno: number) => Explanation): number {
  const result = attributes.call(name)
  if (result >= 0) return result
  throw bpfError(name, -result, explain?.(-result))
}

const EPERM = 1
const ENOSYS = 38

/** What a failed call of bpf(2) amounts to. */
export function bpfError(name: Command, errno: number, explanation?: Explanation): SystemError | Unsupported {
  if (errno === ENOSYS)
    return new Unsupported('bpf(2)', 'Linux 4.8', 'a kernel built without CONFIG_BPF_SYSCALL')
  const known = explanation?.reason === undefined && errno === EPERM ? missingPrivilege : explanation
  return new SystemError(`bpf(${name})`, errno, known)
}

const missingPrivilege: Explanation = {
  reason: 'this process may not use BPF',
  remedy: 'run it as root, or with the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON',
}
