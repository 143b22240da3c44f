// What is loaded in the kernel: programs, maps, links and BTF objects, by descriptor, by id, and all of them.
//
// Ids belong to the whole machine, not to a namespace. Objects come and go while one looks: what vanished between two
// calls is left out.

import { Attributes, bpf, bpfError } from './bpf.js'
import type { Command } from './bpf.js'
import { Descriptor } from './descriptor.js'
import { errno } from './errno.js'
import { BpfMap, mapTypes } from './map.js'
import type { MapType } from './map.js'
import { BpfProgram, programTypes } from './program.js'
import type { ProgramType } from './program.js'
import type { Bytes } from './kernel.js'
import { XdpLink } from './link.js'
import { Structure } from './structure.js'

export interface ProgramInfo {
  readonly id: number
  /** Kind, by our names; `type 99` for one we have no name for. */
  readonly type: string
  readonly name: string
  /** Hash of the instructions, 16 hexadecimal digits. */
  readonly tag: string
  readonly gplCompatible: boolean
  /** Bytes of native code and of instructions after the verifier's rewrite. */
  readonly jitedBytes: number
  readonly translatedBytes: number
  /** Instructions that the verifier walked. Linux 5.16. */
  readonly verifiedInstructions: number
  /** Nanoseconds since boot. */
  readonly loadTime: bigint
  readonly userId: number
  readonly mapIds: readonly number[]
  readonly btfId: number
  /** Counted only while statistics are on (`enableStatistics`). */
  readonly runTime: bigint
  readonly runCount: bigint
  readonly recursionMisses: bigint
}

export interface MapInfo {
  readonly id: number
  readonly type: string
  readonly name: string
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  readonly btfId: number
  readonly btfKeyType: number
  readonly btfValueType: number
}

export interface LinkInfo {
  readonly id: number
  /** Number of the link's kind; 6 is XDP. */
  readonly type: number
  readonly programId: number
  /** Of an XDP link: its device; 0 after the device went away or the link was detached. */
  readonly interfaceIndex: number
}

/** Number of the kind of links that XDP programs have. */
export const xdpLinkType = 6

const nameOf = (names: Readonly<Record<string, number>>, number: number): string =>
  Object.keys(names).find(name => names[name] === number) ?? `type ${number}`

/** Has the kernel fill a structure; what an older kernel does not know stays 0. */
function filled(object: Descriptor, structure: Structure): Structure {
  const attributes = new Attributes(16).u32(0, object.fd).u32(4, structure.bytes.length)
  structure.during(bytes => bpf('OBJ_GET_INFO_BY_FD', attributes.pointer(8, bytes)))
  return structure
}

/** What the kernel knows about a program. */
export function programInfo(program: Descriptor): ProgramInfo {
  const count = filled(program, new Structure(232)).read32(52)
  const ids = new Uint32Array(new ArrayBuffer(4 * count))
  const info = filled(program, new Structure(232).u32(52, count).pointer(56, ids))
  return {
    id: info.read32(4),
    type: nameOf(programTypes, info.read32(0)),
    name: info.readText(64, 16),
    tag: Buffer.from(info.bytes.buffer, 8, 8).toString('hex'),
    gplCompatible: (info.read32(84) & 1) !== 0,
    jitedBytes: info.read32(16),
    translatedBytes: info.read32(20),
    verifiedInstructions: info.read32(216),
    loadTime: info.read64(40),
    userId: info.read32(48),
    mapIds: [...ids.subarray(0, Math.min(count, info.read32(52)))],
    btfId: info.read32(128),
    runTime: info.read64(192),
    runCount: info.read64(200),
    recursionMisses: info.read64(208),
  }
}

/** What the kernel knows about a map. */
export function mapInfo(map: Descriptor): MapInfo {
  const info = filled(map, new Structure(88))
  return {
    id: info.read32(4),
    type: nameOf(mapTypes, info.read32(0)),
    name: info.readText(24, 16),
    keySize: info.read32(8),
    valueSize: info.read32(12),
    maxEntries: info.read32(16),
    flags: info.read32(20),
    btfId: info.read32(64),
    btfKeyType: info.read32(68),
    btfValueType: info.read32(72),
  }
}

/** What the kernel knows about a link. */
export function linkInfo(link: Descriptor): LinkInfo {
  const info = filled(link, new Structure(64))
  return {
    id: info.read32(4),
    type: info.read32(0),
    programId: info.read32(8),
    interfaceIndex: info.read32(16),
  }
}

/** Raw bytes of a loaded BTF object. */
export function btfBytes(btf: Descriptor): Bytes {
  const bytes = new Uint8Array(new ArrayBuffer(filled(btf, new Structure(32)).read32(8)))
  filled(btf, new Structure(32).pointer(0, bytes).u32(8, bytes.length))
  return bytes
}

/** Opens a program by its id; undefined if it has gone. */
export function openProgram(id: number): BpfProgram | undefined {
  const fd = openById('PROG_GET_FD_BY_ID', id)
  return fd === undefined ? undefined : adoptProgram(fd)
}

/** Opens a map by its id; undefined if it has gone. */
export function openMap(id: number): BpfMap | undefined {
  const fd = openById('MAP_GET_FD_BY_ID', id)
  return fd === undefined ? undefined : adoptMap(fd)
}

/** Opens a link by its id; undefined if it has gone. */
export function openLink(id: number): XdpLink | undefined {
  const fd = openById('LINK_GET_FD_BY_ID', id)
  return fd === undefined ? undefined : new XdpLink(fd)
}

/** Opens a BTF object by its id; undefined if it has gone. */
export function openBtf(id: number): Descriptor | undefined {
  const fd = openById('BTF_GET_FD_BY_ID', id)
  return fd === undefined ? undefined : new Descriptor(fd)
}

/** A program behind a descriptor of unknown origin. */
export function adoptProgram(fd: number): BpfProgram {
  const { type, name } = programInfo(new Descriptor(fd))
  return new BpfProgram(fd, type as ProgramType, name)
}

/** A map behind a descriptor of unknown origin. */
export function adoptMap(fd: number): BpfMap {
  const info = mapInfo(new Descriptor(fd))
  return new BpfMap(fd, { ...info, type: info.type as MapType })
}

/** Ids of all programs of the machine, in ascending order. */
export const programIds = (): Generator<number> => ids('PROG_GET_NEXT_ID')
/** Ids of all maps. */
export const mapIds = (): Generator<number> => ids('MAP_GET_NEXT_ID')
/** Ids of all links. Linux 5.8. */
export const linkIds = (): Generator<number> => ids('LINK_GET_NEXT_ID')
/** Ids of all BTF objects. Linux 5.4. */
export const btfIds = (): Generator<number> => ids('BTF_GET_NEXT_ID')

/** Every program with its description. */
export const programs = (): ProgramInfo[] => described(programIds(), openProgram, programInfo)
/** Every map with its description. */
export const maps = (): MapInfo[] => described(mapIds(), openMap, mapInfo)
/** Every link with its description. */
export const links = (): LinkInfo[] => described(linkIds(), openLink, linkInfo)

function described<D extends Descriptor, I>(
  ids: Generator<number>,
  open: (id: number) => D | undefined,
  describe: (object: D) => I,
): I[] {
  const found: I[] = []
  for (const id of ids) {
    const object = open(id)
    if (object === undefined) continue
    try {
      found.push(describe(object))
    } finally {
      object.close()
    }
  }
  return found
}

type NextId = 'PROG_GET_NEXT_ID' | 'MAP_GET_NEXT_ID' | 'LINK_GET_NEXT_ID' | 'BTF_GET_NEXT_ID'

function* ids(name: NextId): Generator<number> {
  for (let id = 0; ;) {
    const attributes = new Attributes(12).u32(0, id)
    const result = attributes.call(name)
    if (-result === errno.ENOENT) return
    if (result < 0) throw bpfError(name, -result)
    id = attributes.read32(4)
    yield id
  }
}

function openById(name: Command, id: number): number | undefined {
  const fd = new Attributes(12).u32(0, id).call(name)
  if (-fd === errno.ENOENT) return undefined
  if (fd < 0) throw bpfError(name, -fd)
  return fd
}

/**
 * Counts runs and run time of every program on the machine while the descriptor is open (Linux 5.8). It costs each run
 * about 45 ns, of which about 21 show in the run time.
 */
export function enableStatistics(): Descriptor {
  return new Descriptor(bpf('ENABLE_STATS', new Attributes(4).u32(0, 0)))
}
