// BPF maps: creation, access by key, access in batches, and iteration.
//
// Keys and values are bytes of exactly the map's sizes; a value of a per-CPU map is one value for each possible CPU,
// each padded to a multiple of 8 (`valueBytes`). What can be memory-mapped is better read that way (map-memory.ts).

import { Attributes, bpf, bpfError } from './bpf.js'
import { possibleCpus } from './cpus.js'
import { Descriptor } from './descriptor.js'
import { errno } from './errno.js'
import type { Explanation } from './failure.js'
import type { Bytes } from './kernel.js'

/** Numbers of the kinds of maps we use. */
export const mapTypes = {
  hash: 1,
  array: 2,
  prog_array: 3,
  percpu_hash: 5,
  percpu_array: 6,
  lru_hash: 9,
  lpm_trie: 11,
  devmap: 14,
  cpumap: 16,
  xskmap: 17,
  devmap_hash: 25,
  ringbuf: 27,
  arena: 33,
} as const

export type MapType = keyof typeof mapTypes

/** Flags of a map. */
export const mapFlags = {
  NO_PREALLOC: 1 << 0,
  RDONLY: 1 << 3,
  WRONLY: 1 << 4,
  RDONLY_PROG: 1 << 7,
  WRONLY_PROG: 1 << 8,
  MMAPABLE: 1 << 10,
} as const

/** When an update may happen, and whether it takes the value's spin lock. */
export const updateFlags = { ANY: 0, NOEXIST: 1, EXIST: 2, LOCK: 4 } as const

/** What a map is made of. */
export interface MapSpecification {
  readonly type: MapType
  /** The first 15 characters are kept. */
  readonly name: string
  /** Bytes of a key; 4 for arrays and for maps of devices, CPUs and sockets. */
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  /** Of `mapFlags`; the trie's NO_PREALLOC is added. */
  readonly flags?: number
  /** Types of key and value in a loaded BTF object. */
  readonly btf?: { readonly fd: number; readonly key: number; readonly value: number }
  /** Of an arena: the address at which user space maps it. */
  readonly extra?: bigint
}

/** An open BPF map. */
export class BpfMap extends Descriptor {
  readonly type: MapType
  readonly name: string
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number

  /** For a descriptor that is open already; others come from `createMap`, `openMap` and pins. */
  constructor(fd: number, specification: Omit<MapSpecification, 'btf' | 'extra'>) {
    super(fd)
    this.type = specification.type
    this.name = specification.name
    this.keySize = specification.keySize
    this.valueSize = specification.valueSize
    this.maxEntries = specification.maxEntries
    this.flags = specification.flags ?? 0
  }

  get perCpu(): boolean {
    return this.type.startsWith('percpu_')
  }

  /** Bytes of what `lookup` gives and `update` takes. */
  get valueBytes(): number {
    return this.perCpu ? roundUp(this.valueSize, 8) * possibleCpus() : this.valueSize
  }

  /** The value, copied; undefined if the key is absent. */
  lookup(key: Bytes, flags = 0): Bytes | undefined {
    const value = new Uint8Array(new ArrayBuffer(this.valueBytes))
    return this.#present('MAP_LOOKUP_ELEM', this.#element(key, value, flags)) ? value : undefined
  }

  /** Sets the value; false if the flags forbid it because the key exists or is absent. */
  update(key: Bytes, value: Bytes, flags: number = updateFlags.ANY): boolean {
    this.#size('value', value, this.valueBytes)
    const result = this.#element(key, value, flags).call('MAP_UPDATE_ELEM')
    if (result >= 0) return true
    const refused =
      (flags & updateFlags.NOEXIST && -result === errno.EEXIST) ||
      (flags & updateFlags.EXIST && -result === errno.ENOENT)
    if (refused) return false
    throw bpfError('MAP_UPDATE_ELEM', -result, this.#explainUpdate(-result))
  }

  /** True if the key was there. */
  delete(key: Bytes): boolean {
    return this.#present('MAP_DELETE_ELEM', this.#element(key, undefined, 0))
  }

  /** The key after `key`, or the first; undefined at the end. If `key` has gone meanwhile, the first again. */
  nextKey(key?: Bytes): Bytes | undefined {
    const next = new Uint8Array(new ArrayBuffer(this.keySize))
    const attributes = new Attributes(32).u32(0, this.fd).pointer(8, key).pointer(16, next)
    return this.#present('MAP_GET_NEXT_KEY', attributes) ? next : undefined
  }

  /** Every key, each once if nobody changes the map meanwhile, and never more than `maxEntries` of them. */
  *keys(): Generator<Bytes> {
    let key = this.nextKey()
    for (let n = 0; key !== undefined && n < this.maxEntries; n++) {
      yield key
      key = this.nextKey(key)
    }
  }

  /** Every key with its value, as `keys`; entries that vanish meanwhile are left out. */
  *entries(): Generator<readonly [key: Bytes, value: Bytes]> {
    for (const key of this.keys()) {
      const value = this.lookup(key)
      if (value !== undefined) yield [key, value]
    }
  }

  /**
   * All entries by batches of about `size`: keys one after the other, and values likewise. A batch that is too small
   * for a hash bucket is doubled. Linux 5.6; throws where the kind of map has no batches.
   */
  *batches(size = 4096): Generator<{ readonly count: number; readonly keys: Bytes; readonly values: Bytes }> {
    let position: Bytes | undefined
    for (let ended = false; !ended;) {
      const keys = new Uint8Array(new ArrayBuffer(size * this.keySize))
      const values = new Uint8Array(new ArrayBuffer(size * this.valueBytes))
      const next = new Uint8Array(new ArrayBuffer(Math.max(4, this.keySize)))
      const attributes = this.#batch(keys, values, size).pointer(0, position).pointer(8, next)
      const result = attributes.call('MAP_LOOKUP_BATCH')
      if (-result === errno.ENOSPC) {
        size *= 2
        continue
      }
      ended = -result === errno.ENOENT
      if (result < 0 && !ended) throw bpfError('MAP_LOOKUP_BATCH', -result)
      const count = attributes.read32(32)
      if (count > 0) {
        yield {
          count,
          keys: keys.subarray(0, count * this.keySize),
          values: values.subarray(0, count * this.valueBytes),
        }
      }
      position = next
    }
  }

  /** Sets many entries, keys and values one after the other. Linux 5.6. */
  updateBatch(keys: Bytes, values: Bytes): void {
    const count = keys.length / this.keySize
    this.#size('values', values, count * this.valueBytes)
    if (count > 0) bpf('MAP_UPDATE_BATCH', this.#batch(keys, values, count), e => this.#explainUpdate(e))
  }

  /** Removes many entries; ENOENT at the first that is absent. Linux 5.6. */
  deleteBatch(keys: Bytes): void {
    const count = keys.length / this.keySize
    if (count > 0) bpf('MAP_DELETE_BATCH', this.#batch(keys, undefined, count))
  }

  /** Forbids writes from user space for ever, through any descriptor. */
  freeze(): void {
    bpf('MAP_FREEZE', new Attributes(4).u32(0, this.fd))
  }

  #element(key: Bytes, value: Bytes | undefined, flags: number): Attributes {
    this.#size('key', key, this.keySize)
    return new Attributes(32).u32(0, this.fd).pointer(8, key).pointer(16, value).u64(24, BigInt(flags))
  }

  #batch(keys: Bytes, values: Bytes | undefined, count: number): Attributes {
    return new Attributes(56).pointer(16, keys).pointer(24, values).u32(32, count).u32(36, this.fd)
  }

  #present(
    name: 'MAP_LOOKUP_ELEM' | 'MAP_DELETE_ELEM' | 'MAP_GET_NEXT_KEY',
    attributes: Attributes,
  ): boolean {
    const result = attributes.call(name)
    if (result >= 0) return true
    if (-result === errno.ENOENT) return false
    throw bpfError(name, -result)
  }

  #size(what: string, bytes: Bytes, size: number): void {
    if (bytes.length !== size)
      throw new RangeError(`map ${this.name}: a ${what} has ${size} bytes, not ${bytes.length}`)
  }

  #explainUpdate(error: number): Explanation {
    const what = `map ${this.name}`
    switch (error) {
      case errno.E2BIG:
        return this.type === 'array' || this.type === 'percpu_array'
          ? { reason: `${what} has ${this.maxEntries} elements, and the index is beyond them` }
          : { reason: `${what} is full: it holds ${this.maxEntries} entries` }
      case errno.EPERM:
        return { reason: `${what} is frozen or read-only for user space` }
      case errno.ENOMEM:
        return this.type === 'cpumap' || this.type === 'devmap'
          ? { reason: 'its program was loaded for another attach type, or memory ran out' }
          : { reason: 'memory ran out', remedy: 'make the map smaller' }
      case errno.ENODEV:
        return this.type === 'cpumap'
          ? { reason: 'there is no such CPU' }
          : { reason: 'there is no such device' }
      case errno.EOVERFLOW:
        return this.type === 'cpumap' ? { reason: 'a queue holds at most 16384 packets' } : {}
      default:
        return {}
    }
  }
}

/** Makes a map. Throws a `SystemError` that says what the kernel did not like, as far as that can be known. */
export function createMap(specification: MapSpecification): BpfMap {
  const { type, name, keySize, valueSize, maxEntries, btf, extra } = specification
  const flags = (specification.flags ?? 0) | (type === 'lpm_trie' ? mapFlags.NO_PREALLOC : 0)
  const attributes = new Attributes(72)
    .u32(0, mapTypes[type])
    .u32(4, keySize)
    .u32(8, valueSize)
    .u32(12, maxEntries)
    .u32(16, flags)
    .name(28, name)
  if (btf !== undefined) attributes.u32(48, btf.fd).u32(52, btf.key).u32(56, btf.value)
  if (extra !== undefined) attributes.u64(64, extra)
  const fd = bpf('MAP_CREATE', attributes, error => explainCreate(error, specification))
  return new BpfMap(fd, { ...specification, flags })
}

function explainCreate(error: number, specification: MapSpecification): Explanation {
  const { type, name, keySize, valueSize, maxEntries } = specification
  const what = `map ${name} (${type}, keys of ${keySize} bytes, values of ${valueSize}, ${maxEntries} entries)`
  switch (error) {
    case errno.EINVAL:
      return {
        reason: `the kernel does not accept ${what}: sizes, flags or BTF are wrong for its kind, or it does not know the kind`,
      }
    case errno.E2BIG:
      return { reason: `${what} is larger than the kernel allows` }
    case errno.ENOMEM:
      return { reason: `no memory for ${what}`, remedy: 'make it smaller' }
    case errno.EOPNOTSUPP:
      return { reason: `the kernel does not support what the BTF of ${what} asks for` }
    default:
      return {}
  }
}

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to
