// The compiler in one screen: a program's source text becomes a module that runs.
//
//   source --lang--> checked IR --transform--> optimised IR --analysis--> slice, sharding, sharing
//          --expand--> memory operations --backend--> WebAssembly
//
// Pure: the same source gives the same bytes on any machine, unprivileged. Only this file sees all stages.

import { replayShare } from './analysis/cost.js'
import type { Refusal } from './analysis/refusal.js'
import { shapesOf } from './analysis/shapes.js'
import type { ObjectShapes } from './analysis/shapes.js'
import { analyseSharding } from './analysis/sharding.js'
import type { ShardField, Sharding } from './analysis/sharding.js'
import { analyseSharing } from './analysis/sharing.js'
import type { Addition, Sharing, SharingKind } from './analysis/sharing.js'
import { isSlice, sliceState } from './analysis/slice.js'
import type { Slice } from './analysis/slice.js'
import { batchModule, buildModule } from './backend/wasm/batch.js'
import type { BatchSource, Way } from './backend/wasm/batch.js'
import { frameLayout } from './backend/wasm/loops/value.js'
import type { Diagnostic } from './diagnostics/diagnostic.js'
import type { Artifact, KernelArtifact } from './engine/artifact.js'
import type { Func, Program } from './ir/types.js'
import { beginSource, isError } from './lang/source.js'
import { leavesOf } from './state/declaration.js'
import type { RulesDecl, StateObject } from './state/declaration.js'
import { fibsOf, kernelMapsOf } from './state/kernel-map.js'
import { layoutRules, layoutState } from './state/layout.js'
import type { ObjectLayout, StateLayout } from './state/layout.js'
import { sliceOf } from './state/slices.js'
import type { ShardKeys } from './strategy/bucket.js'
import { steeringFunction } from './strategy/steering.js'
import type { SteeringFields } from './strategy/steering.js'
import { factsOf } from './transform/expand/facts.js'
import { handoverFunctions } from './transform/expand/handover.js'
import type { HandoverFunctions } from './transform/expand/handover.js'
import { copyOf } from './transform/expand/rewrite.js'
import { finish, optimise } from './transform/optimise.js'
import type { OptimiseOptions } from './transform/optimise.js'
import { expand, valueField } from './transform/expand/expand.js'
import { expandAtomics, expandKeyLock, withNaps } from './transform/expand/shared.js'

/** Expanded functions for a backend. */
/** `shared`: the packet function in each form that CPUs can share state in, if it was compiled to be shared. */
export type KernelFunctions = Pick<BatchSource, 'callees' | 'main' | 'slice' | 'shared' | 'steer'>

export interface Compiled {
  /** As the front end made it: the oracle interprets this. */
  readonly program: Program<StateObject>
  /** Made when it is first asked for, with the module; so is whatever here is a getter's. */
  readonly artifact: Artifact
  /** What the kernel needs of it. */
  readonly withoutModule: KernelArtifact
  /** The module as a value, for printing. */
  readonly batch: BatchSource
  /** The same functions for the kernel: rule tables that are maps there are left to the backend. */
  readonly kernel: KernelFunctions
  /** What replication needs, or why the program cannot be replicated. */
  readonly slice: Slice | Refusal
  readonly sharding: Sharding
  readonly sharing: Sharing
}

export interface Compilation {
  /** Absent if there are errors. */
  readonly compiled?: Compiled
  readonly diagnostics: readonly Diagnostic[]
}

export interface CompileOptions {
  /** Passes to leave out, by name (transform/optimise.ts): to measure what they gain. */
  readonly without?: readonly string[]
  /** Told of every pass that was run, and on what: to count what a compile costs. */
  readonly observe?: OptimiseOptions['observe']
  /** Also make the form of shared state that does without any lock, safe or not: tests show what locks are for. */
  readonly unlocked?: boolean
  /** Put naps before what shared forms write, so that workers meet in the middle of packets even on one CPU. */
  readonly shaken?: boolean
  /** Fields to shard by, of those that may be used (analysis/sharding.ts, checkFields); all of them if left out. */
  readonly fields?: readonly ShardField[]
  /**
   * Ways of running besides `single` that the module is for; all of them if left out. What the others need is not made:
   * most of a compile is the slice and the loops of ways that a run does not go.
   */
  readonly ways?: readonly Way[]
  /** Whether it is to be replicated over a transport that loses frames: a loop more, nothing slower otherwise. */
  readonly recovery?: boolean
  /** Whether it is to be sharded with its heavy keys replicated: two loops more. */
  readonly hybrid?: boolean
  /** Make its tables those of one of so many slices (state/slices.ts): strategy rebalanced in the kernel has one for each bucket. */
  readonly slices?: number
}

/** From source text. */
export function compile(file: string, text: string, options: CompileOptions = {}): Compilation {
  const { program, finish } = beginSource(file, text)
  if (!program) return { diagnostics: finish() }
  const assembled = attempt(() => assemble(program, options))
  // Only now is it known that the types are right: before, anything may have gone wrong.
  const diagnostics = finish()
  return diagnostics.some(isError) ? { diagnostics } : { compiled: assembled(), diagnostics }
}

/** Does the work now, and gives its result or throws its fault when asked. */
function attempt<T>(work: () => T): () => T {
  try {
    const result = work()
    return () => result
  } catch (fault) {
    return () => {
      throw fault
    }
  }
}

/** From checked IR. The program is left as it is. */
export function assemble(whole: Program<StateObject>, options: CompileOptions = {}): Compiled {
  const { slices } = options
  const program = slices === undefined ? whole : { ...whole, objects: sliceOf(whole.objects, slices) }
  const main = copyOf(functionNamed(program.functions, 'main'))
  const facts = factsOf(program.objects)
  const shapes = shapesOf(program.objects)
  optimise(main, { facts, ...options })
  const source = functionNamed(program.functions, 'main')
  const sliced = once(() => sliceState(main, { shapes, facts }))
  const sharding = once(() => analyseSharding(source, shapes))
  const sharing = once(() => analyseSharing(main, shapes))

  const runs = (...ways: Way[]): boolean => ways.some(way => options.ways?.includes(way) ?? true)
  const replicated = runs('replicated', 'replicated-by-value') ? sliced() : undefined
  const slice = replicated && isSlice(replicated) ? replicated : undefined
  const parts = slice ? [slice.extract, slice.advance, main] : [main]
  const steering =
    runs('sharded') && sharding().possible ? steeringFields(sharding(), options.fields) : undefined
  const steer = steering && { steer: steeringOf(steering) }

  const layout = layoutObjects(program.objects)
  const expanded = (layouts: readonly ObjectLayout[]): KernelFunctions => {
    const functions = expand(parts, layouts)
    for (const f of functions) finish(f, options)
    return {
      callees: functions.slice(0, -parts.length),
      main: functionNamed(functions, 'main'),
      ...(slice && {
        slice: {
          extract: functionNamed(functions, 'extract'),
          advance: functionNamed(functions, 'advance'),
          itemStride: slice.item.bytes,
        },
      }),
    }
  }
  const functions = expanded(layout.all)
  // Looked up by the eBPF backend itself.
  const mapped = new Set([...kernelMapsOf(layout.ruleTables), ...fibsOf(layout.ruleTables)].map(m => m.name))
  const forms = runs('shared')
    ? sharedForms(main, functions.main, sharing(), shapes, layout.all, options)
    : new Map<SharingKind, Func>()

  const handover =
    options.hybrid &&
    functions.slice &&
    steering &&
    handoverOf(functions.callees, layout.state, sharding(), steering)

  const batch: BatchSource = {
    name: program.name,
    ...(options.ways && { ways: options.ways }),
    placement: {
      objects: new Map(
        layout.all.map(l => [l.name, { offset: l.offset, rules: l.kind.startsWith('rules') }]),
      ),
      settings: program.settings.map(s => s.name),
      counters: program.counters.map(c => c.name),
    },
    ...functions,
    ...steer,
    ...(options.recovery && { recovery: true }),
    ...(options.hybrid && { hybrid: true }),
    ...(handover && { handover }),
    shared: forms,
  }
  const kernel = once((): KernelFunctions => {
    if (mapped.size === 0) return { ...functions, ...steer, shared: forms }
    const own = layout.all.filter(l => !mapped.has(l.name))
    const left = expanded(own)
    const shared = runs('shared') ? sharedForms(main, left.main, sharing(), shapes, own, options) : forms
    return { ...left, ...steer, shared }
  })
  const withoutModule: KernelArtifact = {
    name: program.name,
    file: program.file,
    objects: program.objects,
    rules: layout.ruleTables,
    stateLayout: layout.state,
    rulesLayout: layout.rules,
    settings: program.settings,
    counters: program.counters,
    ...(slice && { item: frameLayout(batch, slice.item.bytes) }),
    ...(slice && options.recovery && { recovery: true }),
    ...(slice &&
      options.recovery &&
      options.hybrid && { dealt: frameLayout(batch, slice.item.bytes, 'dealt') }),
    ...(functions.slice &&
      steering &&
      options.hybrid && { hybrid: true, replay: replayShare(functions.slice.advance, functions.main) }),
    ...(handover && { handover: true }),
    ...(steering && { steering, shardKeys: keysOf(sharding()) }),
    sharing: { forms: [...forms.keys()], ...(forms.size > 0 && sharingFacts(sharing(), layout.all)) },
  }
  const artifact = once((): Artifact => ({ ...withoutModule, wasm: batchModule(batch) }))
  return {
    program,
    get artifact() {
      return artifact()
    },
    withoutModule,
    batch,
    get kernel() {
      return kernel()
    },
    get slice() {
      return sliced()
    },
    get sharding() {
      return sharding()
    },
    get sharing() {
      return sharing()
    },
  }
}

/** What `make` makes, made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** The packet function in each form that workers can share state in, the least first. */
function sharedForms(
  main: Func,
  expanded: Func,
  sharing: Sharing,
  shapes: ObjectShapes,
  layouts: readonly ObjectLayout[],
  options: CompileOptions,
): Map<SharingKind, Func> {
  const forms = new Map<SharingKind, Func>()
  if (options.unlocked || sharing.forms.includes('none')) forms.set('none', expanded)
  if (sharing.forms.includes('atomics')) {
    const copy = copyOf(main)
    forms.set('atomics', expandAtomics(copy, analyseSharing(copy, shapes).addition, layouts))
  }
  if (sharing.forms.includes('key-lock')) forms.set('key-lock', expandKeyLock(main, layouts))
  for (const f of forms.values()) if (f !== expanded) finish(f, options)
  forms.set('program-lock', expanded)
  if (options.shaken) for (const [form, f] of forms) forms.set(form, withNaps(f))
  return forms
}

/** What a shared run knows of the program besides its forms. */
const sharingFacts = ({ reason, addition }: Sharing, layouts: readonly ObjectLayout[]) => ({
  ...(reason !== undefined && { reason }),
  ...(addition && { bits: bitsAdded(addition, layouts) }),
})

/** Width of the number added to. */
function bitsAdded({ own }: Addition, layouts: readonly ObjectLayout[]): number {
  const field = valueField(
    layouts.find(l => l.name === own.attrs.object)!,
    own,
  )
  return 8 * leavesOf(field)[Number(own.attrs.part ?? 0)].width
}

/** The keys of all objects without what only diagnostics need. */
const keysOf = ({ keys }: Sharding): ShardKeys[] =>
  [...keys].map(([object, list]) => ({
    object,
    alternatives: list.map(({ leaves, portless }) => ({ leaves, portless })),
  }))

/** What steers packets: the fields chosen, or all that sharding may use. */
const steeringFields = (
  { fields: usable, symmetric }: Sharding,
  fields: readonly ShardField[] = usable,
): SteeringFields => ({
  source: fields.includes('source'),
  destination: fields.includes('destination'),
  sourcePort: fields.includes('sourcePort'),
  destinationPort: fields.includes('destinationPort'),
  symmetric,
})

function steeringOf(fields: SteeringFields): Func {
  const steer = steeringFunction(fields)
  finish(steer)
  return steer
}

/** What workers do about state that changes hands in the stream; undefined if this state cannot. */
function handoverOf(
  callees: readonly Func[],
  layout: StateLayout,
  sharding: Sharding,
  fields: SteeringFields,
): HandoverFunctions | undefined {
  const names = new Set(callees.map(f => f.name))
  const made = handoverFunctions({ layout, keys: keysOf(sharding), fields, callees: names })
  if (!made) return undefined
  finish(made.handOut)
  finish(made.takeIn)
  return made
}

/** Where everything stands. The front end has refused what does not fit, so a failure here is ours. */
function layoutObjects(objects: readonly StateObject[]) {
  const isRules = (o: StateObject): o is RulesDecl => o.kind === 'rules'
  const ruleTables = objects.filter(isRules)
  const state = layoutState(objects.filter(o => !isRules(o)))
  const rules = layoutRules(ruleTables)
  if (!state.ok) throw new Error(state.error.message)
  if (!rules.ok) throw new Error(rules.error.message)
  const all = [...state.layout.objects, ...rules.layout.objects]
  return { ruleTables, state: state.layout, rules: rules.layout, all }
}

/** The module of a compiled program, for printing. */
export const moduleOf = (compiled: Compiled): ReturnType<typeof buildModule> => buildModule(compiled.batch)

function functionNamed(functions: readonly Func[], name: string): Func {
  const found = functions.find(f => f.name === name)
  if (!found) throw new Error(`no function ${name}`)
  return found
}
