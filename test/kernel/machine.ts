// Programs in the kernel, for tests: compiled, loaded, run packet by packet with BPF_PROG_TEST_RUN, and read back.

import { call, exit, isLabel, label, mayGoto, mov64, r0 } from '../../src/backend/ebpf/asm.js'
import type { Item } from '../../src/backend/ebpf/asm.js'
import { debugInfo } from '../../src/backend/ebpf/debug.js'
import { commits, commitsDeclaration, commitsMap } from '../../src/backend/ebpf/locked.js'
import { lockDeclaration, lockMap, lockedFrame, underLock } from '../../src/backend/ebpf/locked.js'
import { evidence, evidenceDeclaration, evidenceMap, record } from '../../src/backend/ebpf/evidence.js'
import { environment } from '../../src/backend/ebpf/maps.js'
import type { Environment } from '../../src/backend/ebpf/maps.js'
import { encode, link } from '../../src/backend/ebpf/encode.js'
import { compileFunctions, isRefusal } from '../../src/backend/ebpf/program.js'
import type { BpfCode } from '../../src/backend/ebpf/program.js'
import { inSection, sectionFrame } from '../../src/backend/ebpf/section.js'
import { sectionDeclaration } from '../../src/backend/ebpf/section-map.js'
import { counterStride, mapNames, runtime } from '../../src/backend/ebpf/target.js'
import type { CpuLevel, LoopForm } from '../../src/backend/ebpf/target.js'
import type { Compiled } from '../../src/compile.js'
import { readsInput } from '../../src/ir/inputs.js'
import { createTable } from '../../src/engine/kernel/tables.js'
import type { ReceivedPacket } from '../../src/ir/access.js'
import type { Func } from '../../src/ir/types.js'
import { clearBlock } from '../../src/state/block.js'
import { fibsOf, kernelMapsOf } from '../../src/state/kernel-map.js'
import { stateMemory } from '../../src/state/memory.js'
import type { RuleRows } from '../../src/state/rules.js'
import { loadBtf } from '../../src/sys/btf.js'
import type { Btf } from '../../src/sys/btf.js'
import { errno } from '../../src/sys/errno.js'
import { SystemError } from '../../src/sys/failure.js'
import { possibleCpus } from '../../src/sys/cpus.js'
import { createMap, mapFlags } from '../../src/sys/map.js'
import type { BpfMap } from '../../src/sys/map.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import type { MapMemory } from '../../src/sys/map-memory.js'
import { loadProgram } from '../../src/sys/program.js'
import type { BpfProgram } from '../../src/sys/program.js'
import { testRun } from '../../src/sys/test-run.js'
import { requires } from '../requires.js'
import type { Probe } from '../requires.js'

/** Whether programs as we compile them can be loaded here. */
function bpfProbe(): Probe {
  const returnPass = [mayGoto({ label: 'end' }), mov64.imm(r0, 2), label('end'), mov64.imm(r0, 2), exit()]
  try {
    loadProgram({
      type: 'xdp',
      name: 'probe',
      instructions: encode(returnPass).bytes,
      licence: 'GPL',
    }).close()
    return 'present'
  } catch (error) {
    return error instanceof SystemError && error.errno === errno.EPERM ? 'forbidden' : 'absent'
  }
}

/** The reason to skip a test that runs programs in the kernel; false if it can run. */
export const withoutPrograms = requires('programs with may_goto', '6.9', bpfProbe)

/** The program needs more stack than the kernel has. */
export class StackRefusal extends Error {}

export interface MachineOptions {
  readonly settings?: ReadonlyMap<string, bigint>
  /** The rules block. */
  readonly rules?: Uint8Array
  /** Rules of tables that are maps of their own. */
  readonly rows?: RuleRows
  readonly seed: bigint
  readonly cpu?: CpuLevel
  readonly loops?: LoopForm
  /** The verifier is to forget what it knows where paths meet. */
  readonly forgets?: boolean
  /** One lock around every packet, and the order in which packets held it; `broken`: without the lock itself. */
  readonly locked?: 'whole' | 'broken'
  /** Packets of all CPUs in the state together, with evidence of their order; `broken`: without the locks of keys. */
  readonly section?: { readonly form: 'atomics' | 'key-lock'; readonly broken?: boolean }
}

/** Bytecode of a compiled program that takes time and the like from memory. */
export function bytecode(compiled: Compiled, options: Partial<MachineOptions> = {}) {
  const { artifact, kernel } = compiled
  const { section } = options
  const env = environment({
    objects: [...artifact.stateLayout.objects, ...artifact.rulesLayout.objects],
    tables: kernelMapsOf(artifact.rules),
    fibs: fibsOf(artifact.rules),
    rulesBytes: artifact.rules.length ? (options.rules?.length ?? artifact.rulesLayout.size) : 0,
    settings: artifact.settings.map(s => s.name),
    counters: artifact.counters.map(c => c.name),
    cpus: 1,
    inputs: 'memory',
    cpu: options.cpu ?? 'v3',
    loops: options.loops ?? 'may_goto',
    forgets: options.forgets ?? false,
  })
  const above = options.locked ? lockedFrame : section ? sectionFrame : 0
  const main = section ? kernel.shared!.get(section.form)! : kernel.main
  const shared = { cpus: possibleCpus(), time: false, numbers: readsInput(main, 'sequence'), checking: true }
  const target = section ? { ...env.target, section: shared } : env.target
  const code = compileFunctions([...kernel.callees, main], target, above)
  if (isRefusal(code))
    throw new StackRefusal(`${code.function} needs ${code.bytes} bytes of stack: ${code.variables.join()}`)
  if (section) {
    const more = { ...shared, ordered: process.arch === 'x64', broken: section.broken ?? false }
    const functions = inSection(code.functions, main, more)
    const all = functions.flatMap(f => f.code)
    const maps = [...env.maps, sectionDeclaration(shared.cpus), evidenceDeclaration]
    return { env: { ...env, maps }, code: { functions, code: all, encoded: encode(all) } }
  }
  return options.locked ? lockedCode(env, code, kernel.main, options.locked === 'broken') : { env, code }
}

function lockedCode(env: Environment, { functions }: BpfCode, main: Func, broken: boolean) {
  const locking = new Set([call('spin_lock'), call('spin_unlock')].map(i => i.imm))
  const isLocking = (i: Item): boolean =>
    !isLabel(i) && i.code === call('spin_lock').code && i.src === 0 && locking.has(i.imm)
  const made = underLock(functions, main, { inputs: 'memory', checking: true }).map(f =>
    broken ? { ...f, code: f.code.filter(i => !isLocking(i)) } : f,
  )
  const code = made.flatMap(f => f.code)
  const maps = [...env.maps, lockDeclaration, commitsDeclaration]
  return { env: { ...env, maps }, code: { functions: made, code, encoded: encode(code) } }
}

/** A loaded program with its state. */
export class KernelMachine {
  readonly code: BpfCode
  readonly program: BpfProgram
  private readonly btf: Btf
  private readonly compiled: Compiled
  /** Rule tables that are maps of their own. */
  readonly tables = new Map<string, BpfMap>()
  private readonly maps = new Map<string, { map: BpfMap; memory: MapMemory | undefined }>()

  constructor(compiled: Compiled, options: MachineOptions) {
    this.compiled = compiled
    const { artifact } = compiled
    const { env, code } = bytecode(compiled, options)
    this.code = code
    try {
      const { program } = compiled
      const debug = debugInfo(
        code.functions,
        [...compiled.kernel.callees, compiled.kernel.main],
        {
          file: program.file,
          text: program.source,
          name: program.name,
          local: options.locked !== undefined,
          apart: options.section !== undefined,
        },
        env.maps,
      )
      this.btf = loadBtf(debug.btf)
      for (const [k, { name, valueSize, table }] of env.maps.entries()) {
        if (table) {
          this.tables.set(name, createTable(table, options.rows?.[name]))
          continue
        }
        const map = createMap({
          btf: { fd: this.btf.fd, key: debug.index, value: debug.values[k] },
          type: 'array',
          name,
          keySize: 4,
          valueSize,
          maxEntries: 1,
          flags: mapFlags.MMAPABLE,
        })
        // The kernel maps no memory with a lock in it.
        this.maps.set(name, { map, memory: name === lockMap ? undefined : mapMemory(map) })
      }
      const block = stateMemory(new ArrayBuffer(artifact.stateLayout.size))
      clearBlock(block, 0, artifact.stateLayout, options.seed)
      for (const o of artifact.stateLayout.objects)
        this.bytes(o.name).set(block.bytes.subarray(o.offset, o.offset + o.size))
      if (options.rules && this.maps.has(mapNames.rules)) this.bytes(mapNames.rules).set(options.rules)
      artifact.settings.forEach((s, k) => {
        const value = BigInt.asUintN(64, options.settings?.get(s.name) ?? s.default)
        this.view(mapNames.settings).setBigUint64(8 * k, value, true)
      })
      this.view(mapNames.runtime).setBigUint64(runtime.seed, options.seed, true)
      const descriptors = new Map([...this.maps].map(([name, { map }]) => [name, map.fd]))
      for (const [name, map] of this.tables) descriptors.set(name, map.fd)
      this.program = loadProgram({
        btf: { fd: this.btf.fd, functions: debug.functions, lines: debug.lines },
        type: 'xdp',
        name: artifact.name,
        instructions: link(code.encoded, descriptors),
        licence: 'GPL',
        logLevel: 4,
      })
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Instructions that the verifier walked. */
  get verified(): number {
    return Number(/processed (\d+) insns/.exec(this.program.log)?.[1])
  }

  process(packet: ReceivedPacket): { verdict: number; bytes: Uint8Array } {
    const view = this.view(mapNames.runtime)
    view.setBigUint64(runtime.timestamp, packet.timestamp, true)
    view.setBigUint64(runtime.sequence, packet.sequence - 1n, true)
    view.setUint32(runtime.originalLength, packet.originalLength, true)
    view.setUint32(runtime.device, packet.device, true)
    const { verdict, data } = testRun(this.program, { data: Uint8Array.from(packet.bytes) })
    return { verdict, bytes: data }
  }

  /** Packets by their first four bytes, and verdicts, in the order in which they held the lock. */
  commits(): { packet: number; verdict: number }[] {
    const view = this.view(commitsMap)
    return Array.from({ length: Number(view.getBigUint64(commits.count, true)) }, (_, k) => {
      const at = commits.first + k * commits.stride
      return { packet: view.getUint32(at, true), verdict: view.getUint32(at + 4, true) }
    })
  }

  /** What packets left behind, in no particular order; `packet` by its first four bytes. */
  evidence() {
    const view = this.view(evidenceMap)
    return Array.from({ length: Number(view.getBigUint64(evidence.count, true)) }, (_, k) => {
      const at = evidence.first + k * evidence.stride
      const word = (offset: number): number => view.getUint32(at + offset, true)
      return {
        packet: word(record.packet),
        verdict: word(record.verdict),
        begin: word(record.begin),
        end: word(record.end),
        place: word(record.place),
        before: view.getBigUint64(at + record.before, true),
        amount: view.getBigUint64(at + record.amount, true),
        sequence: view.getBigUint64(at + record.sequence, true),
      }
    })
  }

  /** A copy of the state block. */
  state(): Uint8Array {
    const { objects, size } = this.compiled.artifact.stateLayout
    const block = new Uint8Array(size)
    for (const o of objects) block.set(this.bytes(o.name).subarray(0, o.size), o.offset)
    return block
  }

  counters(): Map<string, bigint> {
    const names = this.compiled.artifact.counters.map(c => c.name)
    if (names.length === 0 || counterStride(names.length) === 0) return new Map()
    const view = this.view(mapNames.counters)
    return new Map(names.map((n, k) => [n, view.getBigUint64(8 * k, true)]))
  }

  close(): void {
    this.program?.close()
    this.btf?.close()
    for (const map of this.tables.values()) map.close()
    for (const { map, memory } of this.maps.values()) {
      memory?.unmap()
      map.close()
    }
  }

  private bytes(name: string): Uint8Array {
    return this.maps.get(name)!.memory!.bytes
  }

  private view(name: string): DataView {
    const bytes = this.bytes(name)
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
}
