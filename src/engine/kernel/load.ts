// A compiled program in the kernel: bytecode, maps with their first contents, and the verifier's consent.
//
// Strategy `single`: one table set, which whoever runs the program owns; `shared`: one for all CPUs, under a lock
// (backend/ebpf/locked.ts) unless the program keeps nothing. Nothing is attached here; src/sys/xdp.ts
// does that. Everything goes when the loaded program is closed, unless something else in the kernel holds it.

import { isLabel, slotsOf } from '../../backend/ebpf/asm.js'
import type { Code } from '../../backend/ebpf/asm.js'
import { debugInfo } from '../../backend/ebpf/debug.js'
import { encode, link } from '../../backend/ebpf/encode.js'
import type { Encoded } from '../../backend/ebpf/encode.js'
import { verdictsDeclaration, withEntry } from '../../backend/ebpf/entry.js'
import { kernelLicence } from '../../backend/ebpf/licence.js'
import { lockDeclaration, lockMap, lockedFrame, underLock } from '../../backend/ebpf/locked.js'
import { targetMaps } from '../../backend/ebpf/lookup.js'
import { environment } from '../../backend/ebpf/maps.js'
import type { MapDeclaration } from '../../backend/ebpf/maps.js'
import { compileFunctions, isRefusal } from '../../backend/ebpf/program.js'
import type { CompiledFunction, StackRefusal } from '../../backend/ebpf/program.js'
import { inSection, sectionFrame } from '../../backend/ebpf/section.js'
import { sectionDeclaration } from '../../backend/ebpf/section-map.js'
import { mapNames, runtime } from '../../backend/ebpf/target.js'
import type { Clock } from '../../backend/ebpf/target.js'
import type { BatchSource } from '../../backend/wasm/batch.js'
import { lineStarts, positionAt } from '../../diagnostics/lines.js'
import { readsInput } from '../../ir/inputs.js'
import { fibsOf, kernelMapsOf } from '../../state/kernel-map.js'
import type { RuleRows } from '../../state/rules.js'
import { bindMap } from '../../sys/bind.js'
import { loadBtf } from '../../sys/btf.js'
import { possibleCpus } from '../../sys/cpus.js'
import { Unsupported } from '../../sys/failure.js'
import { mapInfo } from '../../sys/info.js'
import { createMap, mapFlags } from '../../sys/map.js'
import type { BpfMap } from '../../sys/map.js'
import { mapMemory } from '../../sys/map-memory.js'
import { loadProgram } from '../../sys/program.js'
import type { AttachType, BpfProgram } from '../../sys/program.js'
import type { LineEntry } from '../../sys/verifier-log.js'
import type { KernelArtifact } from '../artifact.js'
import { firstContents } from './contents.js'
import { writeDescription } from './description.js'
import type { Description } from './description.js'
import { explainLoops, inFormThatFits, kernelForm, newest } from './form.js'
import type { KernelForm } from './form.js'
import { refuseMapped } from './mapped.js'
import { missingFeature } from './needs.js'
import { isSection } from './sharing.js'
import type { KernelSharing } from './sharing.js'
import { createTable } from './tables.js'

/** What is loaded: of a compilation, what concerns the kernel. */
export interface Loadable {
  readonly artifact: KernelArtifact
  readonly kernel: Pick<BatchSource, 'callees' | 'main' | 'shared'>
  readonly program: { readonly file: string; readonly source: string; readonly licence?: string }
}

export interface LoadOptions {
  readonly settings: ReadonlyMap<string, bigint>
  /** The rules block. */
  readonly rules?: Uint8Array
  /** The rules of tables that are maps of their own. */
  readonly rows?: RuleRows
  readonly seed: bigint
  /**
   * Where time, device and original length come from: the kernel, or the runtime's map, for trials (trial.ts), which
   * are not described, count no verdicts and return them whole.
   */
  readonly inputs?: 'kernel' | 'memory'
  /** Of strategy shared: how CPUs are kept apart. */
  readonly sharing?: KernelSharing
  /** What compiled code may use; what this kernel has if left out. */
  readonly form?: KernelForm
  /** With inputs from the kernel: what tells packets the time (src/backend/ebpf/target.ts); `exact` if absent. */
  readonly clock?: Clock
  /** Whether something else describes it: what goes on in it. */
  readonly isPart?: boolean
  /** Keeps the whole log, and asks for one even if the program is accepted. */
  readonly verboseLog?: boolean
}

/** The program needs more stack than the kernel has. */
export class StackExceeded extends Error {}

/** A state object is larger than what the verifier can prove accesses to. */
export class StateExceeded extends Error {}

/** Bytes of a map's value that a program can reach with an offset it computes: the verifier's own bound. */
export const mostBytes = 2 ** 29

/** Whether every CPU sees the stores of another in their order: so x86 does, whatever the instruction. */
const storesAreOrdered = process.arch === 'x64'

/** Variables of a refusal that are named. */
const namedVariables = 8

export function stackExceeded(name: string, refusal: StackRefusal): StackExceeded {
  const { bytes, variables } = refusal
  const more = variables.length > namedVariables ? ` and ${variables.length - namedVariables} more` : ''
  const names = variables.length
    ? `; on the stack are ${variables.slice(0, namedVariables).join(', ')}${more}`
    : ''
  return new StackExceeded(
    `${name} needs ${bytes} bytes of stack in ${refusal.function}, and the kernel gives 512${names}; ` +
      'use values soon after they are computed, or keep them in an array',
  )
}

export interface LoadedProgram {
  readonly program: BpfProgram
  /** By name, `.settings` and the like included; `hairpin` is the description. */
  readonly maps: ReadonlyMap<string, BpfMap>
  /** What it says of itself to others. */
  readonly description: Description
  /** Slots of bytecode. */
  readonly slots: number
  close(): void
}

/** Bytes of the rules block, as filled or empty; 0 if there are no rule tables. */
export const rulesBytesOf = (
  { rules, rulesLayout }: Pick<KernelArtifact, 'rules' | 'rulesLayout'>,
  options: Pick<LoadOptions, 'rules'>,
): number => (rules.length > 0 ? (options.rules?.length ?? rulesLayout.size) : 0)

/** Bytecode and the maps it needs, with verdicts and counters for so many CPUs. */
export function bytecodeOf(
  { artifact, kernel, program }: Loadable,
  rulesBytes: number,
  {
    inputs = 'kernel',
    sharing = 'none',
    form = newest,
    clock = 'exact',
    cpus = possibleCpus(),
  }: Pick<LoadOptions, 'inputs' | 'sharing' | 'form' | 'clock'> & { readonly cpus?: number } = {},
) {
  const locked = sharing === 'program-lock'
  const tables = kernelMapsOf(artifact.rules)
  const fibs = fibsOf(artifact.rules)
  if (locked) refuseMapped(artifact, 'strategy shared with one lock, under which the kernel allows no calls')
  if (fibs.length > 0 && kernelLicence(program.licence) !== 'GPL')
    throw new Unsupported(
      `asking for the kernel's routes, as ${fibs.map(f => f.name).join(' and ')} does with bpf_fib_lookup,`,
      'a licence of the GPL',
      program.licence === undefined ? 'none' : `licence '${program.licence}'`,
      "declare one in the program, as in: export const licence = 'GPL-2.0-only'",
    )
  const { target, maps } = environment({
    objects: [...artifact.stateLayout.objects, ...artifact.rulesLayout.objects],
    tables,
    fibs,
    rulesBytes,
    settings: artifact.settings.map(s => s.name),
    counters: artifact.counters.map(c => c.name),
    cpus,
    inputs: locked ? 'memory' : inputs,
    clock,
    ...form,
  })
  const main = kernel.shared?.get(sharing) ?? kernel.main
  const section = isSection(sharing) && {
    time: sharing === 'key-lock' && inputs === 'kernel' && readsInput(main, 'timestamp'),
    numbers: readsInput(main, 'sequence'),
    checking: false,
    cpus,
  }
  const compiled = compileFunctions(
    [...kernel.callees, main],
    locked ? { ...target, cpus: 1 } : section ? { ...target, section } : target,
    locked ? lockedFrame : section ? sectionFrame : 0,
  )
  if (isRefusal(compiled)) throw stackExceeded(artifact.name, compiled)
  const bodies = locked
    ? underLock(compiled.functions, main, { inputs })
    : section
      ? inSection(compiled.functions, main, { ...section, ordered: storesAreOrdered })
      : compiled.functions
  const functions = inputs === 'kernel' ? withEntry(bodies, cpus, targetMaps(target.tables)) : bodies
  const code = functions.flatMap(f => f.code)
  return {
    functions,
    encoded: encode(code),
    lines: linesOf(code, program),
    maps: [
      ...maps,
      verdictsDeclaration(cpus),
      ...(locked ? [lockDeclaration] : []),
      ...(section ? [sectionDeclaration(cpus)] : []),
    ],
    cpus,
  }
}

/** Where in the source instructions come from. */
export function linesOf(code: Code, { file, source }: Loadable['program']): LineEntry[] {
  const starts = lineStarts(source)
  const lines: LineEntry[] = []
  let slot = 0
  for (const item of code) {
    if (!isLabel(item) && item.origin) {
      const { line, column } = positionAt(starts, item.origin.at)
      const last = lines.at(-1)
      if (last?.line !== line || last.column !== column) lines.push({ instruction: slot, file, line, column })
    }
    slot += slotsOf(item)
  }
  return lines
}

/** Has the verifier look at it, with maps ready for packets. Throws what loadProgram and createMap throw. */
export function load(
  subject: Loadable,
  options: LoadOptions,
  onLines?: (lines: readonly LineEntry[]) => void,
): LoadedProgram {
  const { artifact } = subject
  requireReach(artifact)
  return inFormThatFits(options.form ?? kernelForm(), (form, briefly) => {
    const made = bytecodeOf(subject, rulesBytesOf(artifact, options), { ...options, form })
    onLines?.(made.lines)
    const { isPart = false } = options
    // What goes on in it by a tail call must be of one kind with it.
    const attached = isPart && { attachType: 'xdp' as const }
    return install(subject, { ...options, form }, { ...made, isPart, briefly, ...attached })
  })
}

/** Bytecode with what it needs around it. */
export interface Installable {
  readonly functions: readonly Pick<CompiledFunction, 'name' | 'code'>[]
  readonly encoded: Encoded
  readonly maps: readonly MapDeclaration[]
  /** CPUs that have verdicts and counters. */
  readonly cpus: number
  readonly attachType?: AttachType
  /** First contents of maps, beyond those that every program's have. */
  readonly contents?: ReadonlyMap<string, Uint8Array>
  /** What its description says besides. */
  readonly described?: Pick<Description, 'workers' | 'groups' | 'headerBytes' | 'slices'>
  /** It is part of another program, and does not say what it is. */
  readonly isPart?: boolean
  /** A refusal for its size needs no log. */
  readonly briefly?: boolean
  /** The number of the last packet before the first; -1 if left out, because such a program counts up first. */
  readonly last?: bigint
  /** Which worker it is, where it needs to know. */
  readonly worker?: number
}

/** Makes maps, except those that are there already and stay their maker's as they are, and loads. Throws as `load` does. */
export function install(
  { artifact, kernel, program: source }: Loadable,
  options: LoadOptions & { readonly form: KernelForm },
  made: Installable,
  known: ReadonlyMap<string, BpfMap> = new Map(),
): LoadedProgram {
  const debug = debugInfo(
    made.functions,
    [...kernel.callees, kernel.main],
    {
      file: source.file,
      text: source.source,
      name: artifact.name,
      local: options.sharing === 'program-lock',
      apart: isSection(options.sharing ?? 'none'),
    },
    made.maps,
  )
  const types = loadBtf(debug.btf)
  const maps = new Map<string, BpfMap>()
  let program: BpfProgram | undefined
  const close = (): void => {
    program?.close()
    for (const [name, map] of maps) if (known.get(name) !== map) map.close()
  }
  try {
    for (const [k, { name, valueSize, table }] of made.maps.entries()) {
      if (table) {
        maps.set(name, createTable(table, options.rows?.[name]))
        continue
      }
      const btf = { fd: types.fd, key: debug.index, value: debug.values[k] }
      const flags = mapFlags.MMAPABLE
      const make = () => createMap({ type: 'array', name, keySize: 4, valueSize, maxEntries: 1, flags, btf })
      maps.set(name, known.get(name) ?? make())
    }
    const start = process.hrtime.bigint()
    // Nothing needs the rules block if all rule tables are maps of their own.
    const isNew = (name: string): boolean => maps.has(name) && !known.has(name)
    for (const [name, contents] of firstContents(artifact, options, start))
      if (isNew(name)) change(maps.get(name)!, bytes => bytes.set(contents))
    if (made.worker !== undefined) {
      const { worker } = made
      change(maps.get(mapNames.runtime)!, (_, view) => view.setUint32(runtime.worker, worker, true))
    }
    if (made.last !== undefined && isNew(mapNames.runtime)) {
      const { last } = made
      change(maps.get(mapNames.runtime)!, (_, view) => view.setBigUint64(runtime.sequence, last, true))
    }
    for (const [name, contents] of made.contents ?? [])
      if (isNew(name)) change(maps.get(name)!, bytes => bytes.set(contents))
    program = loadProgram({
      type: 'xdp',
      name: artifact.name,
      instructions: link(made.encoded, new Map([...maps].map(([name, { fd }]) => [name, fd]))),
      btf: { fd: types.fd, functions: debug.functions, lines: debug.lines },
      licence: kernelLicence(source.licence),
      ...(made.attachType && { attachType: made.attachType }),
      ...(made.briefly && { briefly: true }),
      // Without a level a refusal is repeated with the path that failed; statistics alone (4) would hide it.
      ...(options.verboseLog && { wholeLog: true, logLevel: 6 as const }),
    })
    const { name, file, objects, rules, settings, counters } = artifact
    const description: Description = {
      format: 2,
      name,
      file,
      objects: objects.filter(o => o.kind !== 'rules'),
      rules,
      settings,
      counters: counters.map(c => c.name),
      // A map with a lock cannot be mapped into memory, and holds nothing to be read.
      maps: new Map([...maps].flatMap(([key, map]) => (key === lockMap ? [] : [[key, mapInfo(map).id]]))),
      cpus: made.cpus,
      start,
      ...made.described,
    }
    if (!made.isPart && (options.inputs ?? 'kernel') === 'kernel') {
      const described = writeDescription(description)
      maps.set(described.name, described)
      for (const map of maps.values()) bindMap(program, map)
    }
    return { program, maps, description, slots: made.encoded.bytes.length / 8, close }
  } catch (error) {
    close()
    throw missingFeature(explainLoops(error, options.form))
  } finally {
    // The program and its maps keep the types.
    types.close()
  }
}

/** Throws `StateExceeded` if an object is larger than programs reach, in whatever strategy: each worker has all of it. */
export function requireReach({ name, stateLayout, rulesLayout }: KernelArtifact): void {
  for (const { name: object, size } of [...stateLayout.objects, ...rulesLayout.objects])
    if (size >= mostBytes)
      throw new StateExceeded(
        `${name} cannot be loaded: ${object} takes ${(size / 2 ** 20).toFixed(0)} MiB, and the kernel's verifier follows ` +
          `offsets below ${mostBytes / 2 ** 20} MiB only; give it a smaller capacity (hairpin check has the sums)`,
      )
}

/** Changes a map's only value in place. */
function change(map: BpfMap, action: (bytes: Uint8Array, view: DataView) => void): void {
  const memory = mapMemory(map)
  const { bytes } = memory
  action(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length))
  memory.unmap()
}
