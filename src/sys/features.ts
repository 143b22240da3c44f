// Which BPF features this kernel has, found by trying each with a tiny program or map, once.
//
// Versions are those of the first kernel that has the feature; they are for messages, decisions come from the trial.

import { release } from 'node:os'
import { Attributes } from './bpf.js'
import { errno } from './errno.js'
import { SystemError, Unsupported } from './failure.js'
import { call, exit, instructionBytes, loadMapValue, move, moveImmediate } from './instruction.js'
import type { Instruction } from './instruction.js'
import { kernel } from './kernel.js'
import { xdpFlags } from './link.js'
import { LiveFrameRun } from './live-frames.js'
import { createMap, mapFlags } from './map.js'
import type { MapSpecification } from './map.js'
import { attachTypes, loadProgram, programFlags, VerifierRejection } from './program.js'
import type { ProgramSpecification } from './program.js'

interface Trial {
  /** What it is called in messages. */
  readonly text: string
  /** First kernel that has it. */
  readonly since: string
  /** True if it works; may throw what loads and map creations throw. */
  readonly works: () => boolean
}

const xdp = (
  name: string,
  instructions: readonly Instruction[],
  more: Partial<ProgramSpecification> = {},
): boolean => {
  loadProgram({
    type: 'xdp',
    name,
    instructions: instructionBytes(instructions),
    licence: 'GPL',
    ...more,
  }).close()
  return true
}

const map = (specification: Partial<MapSpecification> & Pick<MapSpecification, 'type'>): boolean => {
  createMap({ name: 'probe', keySize: 4, valueSize: 4, maxEntries: 1, ...specification }).close()
  return true
}

const drop = [moveImmediate(0, 1), exit]

/** `helper` called with wrong arguments: its absence is told apart from the complaint about them. */
function helperKnown(helper: number): boolean {
  try {
    return xdp('probe_helper', [move(6, 1), call(helper), ...drop])
  } catch (error) {
    if (error instanceof VerifierRejection)
      return !/unknown func|invalid func|cannot use helper/.test(error.log)
    throw error
  }
}

/** An atomic operation on the stack: `*(u64 *)(r10 - 8) op= r1`, by its immediate. */
const atomic = (operation: number): Instruction[] => [
  [0x7a, 10, 0, -8, 0],
  moveImmediate(1, 1),
  moveImmediate(0, 0),
  [0xdb, 10, 1, -8, operation],
  ...drop,
]

const trials = {
  instructions2: {
    text: 'instruction set v2 (unsigned and signed less-than)',
    since: '4.14',
    works: () => xdp('probe_v2', [moveImmediate(0, 1), [0xa5, 0, 0, 0, 2], exit]),
  },
  instructions3: {
    text: 'instruction set v3 (32-bit jumps)',
    since: '5.1',
    works: () => xdp('probe_v3', [moveImmediate(0, 1), [0xa6, 0, 0, 0, 2], exit]),
  },
  instructions4: {
    text: 'instruction set v4 (sign extension, byte swaps, signed division)',
    since: '6.6',
    works: () =>
      xdp('probe_v4', [
        moveImmediate(0, 1),
        moveImmediate(1, 3),
        // r0 = (s8) r1; r0 = bswap16 r0; r0 s/= r1
        [0xbf, 0, 1, 8, 0],
        [0xd7, 0, 0, 0, 16],
        [0x3f, 0, 1, 1, 0],
        ...drop,
      ]),
  },
  atomics: {
    text: 'atomic fetch, exchange and compare',
    since: '5.12',
    works: () => xdp('probe_atomic', atomic(0xf1)),
  },
  loadAcquire: {
    text: 'load-acquire and store-release',
    since: '6.15',
    works: () => xdp('probe_acquire', [[0x7a, 10, 0, -8, 0], [0xdb, 0, 10, -8, 0x100], ...drop]),
  },
  mayGoto: {
    text: 'may_goto',
    since: '6.9',
    works: () => xdp('probe_may_goto', [[0xe5, 0, 0, 1, 0], [0x05, 0, 0, -2, 0], ...drop]),
  },
  boundedLoops: {
    text: 'bounded loops',
    since: '5.3',
    works: () => xdp('probe_loop', [moveImmediate(0, 0), [0x07, 0, 0, 0, 1], [0xa5, 0, 0, -2, 10], exit]),
  },
  directValues: {
    text: 'values of array maps by address',
    since: '5.2',
    works: () => {
      const value = createMap({ type: 'array', name: 'probe', keySize: 4, valueSize: 8, maxEntries: 1 })
      try {
        return xdp('probe_value', [...loadMapValue(1, value.fd), ...drop])
      } finally {
        value.close()
      }
    },
  },
  mmapableMaps: {
    text: 'maps as memory',
    since: '5.5',
    works: () => map({ type: 'array', flags: mapFlags.MMAPABLE }),
  },
  arena: {
    text: 'BPF arena',
    since: '6.9',
    works: () => map({ type: 'arena', keySize: 0, valueSize: 0, maxEntries: 1, flags: mapFlags.MMAPABLE }),
  },
  lpmTrie: { text: 'longest-prefix maps', since: '4.11', works: () => map({ type: 'lpm_trie', keySize: 8 }) },
  devmap: { text: 'device maps', since: '4.14', works: () => map({ type: 'devmap' }) },
  cpumap: { text: 'CPU maps', since: '4.15', works: () => map({ type: 'cpumap' }) },
  xskmap: { text: 'AF_XDP maps', since: '4.18', works: () => map({ type: 'xskmap' }) },
  cpumapPrograms: {
    text: 'programs in CPU maps',
    since: '5.9',
    works: () => xdp('probe_cpumap', drop, { attachType: 'xdp_cpumap' }),
  },
  devmapPrograms: {
    text: 'programs in device maps',
    since: '5.8',
    works: () => xdp('probe_devmap', drop, { attachType: 'xdp_devmap' }),
  },
  fragments: {
    text: 'XDP packets in several buffers',
    since: '5.18',
    works: () => xdp('probe_frags', drop, { flags: programFlags.XDP_HAS_FRAGS }),
  },
  batches: {
    text: 'map access in batches',
    since: '5.6',
    works: () => {
      const table = createMap({ type: 'array', name: 'probe', keySize: 4, valueSize: 4, maxEntries: 1 })
      try {
        return [...table.batches(1)].length === 1
      } finally {
        table.close()
      }
    },
  },
  xdpLinks: {
    text: 'links for XDP programs',
    since: '5.9',
    works: () => {
      const program = loadProgram({
        type: 'xdp',
        name: 'probe_link',
        instructions: instructionBytes(drop),
        licence: 'GPL',
      })
      try {
        // The loopback device has no native mode: only a kernel that knows XDP links gets as far as saying that.
        const attributes = new Attributes(16)
          .u32(0, program.fd)
          .u32(4, 1)
          .u32(8, attachTypes.xdp)
          .u32(12, xdpFlags.native)
        return -attributes.call('LINK_CREATE') === errno.EOPNOTSUPP
      } finally {
        program.close()
      }
    },
  },
  liveFrames: {
    text: 'live frames in test runs',
    since: '5.18',
    works: () => {
      const program = loadProgram({
        type: 'xdp',
        name: 'probe_live',
        instructions: instructionBytes(drop),
        licence: 'GPL',
      })
      try {
        return new LiveFrameRun(program, { data: new Uint8Array(64) }).run(1)
      } finally {
        program.close()
      }
    },
  },
} satisfies Readonly<Record<string, Trial>>

export type Feature = keyof typeof trials

/** All features there are trials for. */
export const features = Object.keys(trials) as Feature[]

/** What a feature is called, and the first kernel that has it. */
export function describeFeature(feature: Feature): { readonly text: string; readonly since: string } {
  const { text, since } = trials[feature]
  return { text, since }
}

const found = new Map<string, boolean>()

/** Whether the kernel has the feature. Throws what says that nothing can be tried: no privilege, no Linux. */
export function hasFeature(feature: Feature): boolean {
  return remembered(feature, trials[feature].works)
}

/** Whether XDP programs may call the helper of this number. */
export function hasHelper(helper: number): boolean {
  return remembered(`helper ${helper}`, () => helperKnown(helper))
}

/** Throws `Unsupported` if the kernel lacks the feature. */
export function requireFeature(feature: Feature): void {
  if (hasFeature(feature)) return
  const { text, since } = trials[feature]
  throw new Unsupported(text, `Linux ${since}`, `Linux ${release()}`)
}

/** The newest instruction set that the kernel has whole. */
export function instructionSet(): 1 | 2 | 3 | 4 {
  if (!hasFeature('instructions2')) return 1
  if (!hasFeature('instructions3')) return 2
  return hasFeature('instructions4') ? 4 : 3
}

function remembered(name: string, works: () => boolean): boolean {
  const known = found.get(name)
  if (known !== undefined) return known
  const result = tried(works)
  found.set(name, result)
  return result
}

function tried(works: () => boolean): boolean {
  // Where there is no kernel to talk to at all, every feature would seem absent.
  kernel()
  try {
    return works()
  } catch (error) {
    if (error instanceof SystemError && error.code !== 'EPERM') return false
    throw error
  }
}

/** Forgets what was found; for tests that replace the kernel. */
export function forgetFeatures(): void {
  found.clear()
}
