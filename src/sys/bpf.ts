// bpf(2): the call itself, the commands, and the attributes it takes.
//
// Read this first in this folder; maps are in map.ts, programs in program.ts, running them in test-run.ts, attaching
// in xdp.ts, looking at what is loaded in info.ts. Offsets in structures are those of linux/bpf.h.

import { SystemError, Unsupported } from './failure.js'
import type { Explanation } from './failure.js'
import { kernel } from './kernel.js'
import { explainPermission, privileges } from './privilege.js'
import { Structure } from './structure.js'

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
  PROG_BIND_MAP: 35,
} as const

export type Command = keyof typeof command

/** union bpf_attr up to the last field that a command reads or writes. */
export class Attributes extends Structure {
  /** An object's name: at most 15 characters are kept, others than letters, digits, `_` and `.` become `_`. */
  name(offset: number, name: string): this {
    this.bytes.set(new TextEncoder().encode(objectName(name)), offset)
    return this
  }

  /** Makes the call: its result, or the negative error number. May be repeated. */
  call(name: Command): number {
    return this.during(bytes => kernel().bpf(command[name], bytes))
  }
}

/** A name as the kernel accepts it for programs and maps. */
export function objectName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_.]/g, '_').slice(0, 15)
}

/** Makes the call and throws a `SystemError` if it fails; EPERM explains itself. */
export function bpf(name: Command, attributes: Attributes, explain?: (errno: number) => Explanation): number {
  const result = attributes.call(name)
  if (result >= 0) return result
  throw bpfError(name, -result, explain?.(-result))
}

const EPERM = 1
const ENFILE = 23
const EMFILE = 24
const ENOSYS = 38

/** What a failed call of bpf(2) amounts to. */
export function bpfError(name: Command, errno: number, explanation?: Explanation): SystemError | Unsupported {
  if (errno === ENOSYS)
    return new Unsupported('bpf(2)', 'Linux 4.8', 'a kernel built without CONFIG_BPF_SYSCALL')
  const known = explanation?.reason === undefined ? commonCause(name, errno) : undefined
  return new SystemError(`bpf(${name})`, errno, known ?? explanation)
}

/** What an error means whatever was asked for. */
function commonCause(name: Command, errno: number): Explanation | undefined {
  if (errno === EPERM) return missingPrivilege(name)
  if (errno === EMFILE || errno === ENFILE)
    return {
      reason: 'every map, program and link is an open file, and no more may be opened',
      remedy: errno === EMFILE ? 'ulimit -n 4096' : 'sysctl -w fs.file-max=1000000',
    }
  return undefined
}

function missingPrivilege(name: Command): Explanation {
  const found = privileges()
  // Ids belong to the whole machine: looking at all objects takes more than using one's own.
  if (/_ID$|STATS/.test(name) && !found.userNamespace && !found.capabilities.includes('CAP_SYS_ADMIN'))
    return {
      reason: 'only root may look at all BPF objects',
      remedy: found.root
        ? 'give the container or service the capability CAP_SYS_ADMIN'
        : 'run it as root, or with the capability CAP_SYS_ADMIN',
    }
  return explainPermission(found)
}
