// Versions of state: two reads with equal operands and the same version give the same value. State objects are not
// versioned in the IR, so this is computed: for everything that is read, the last operation that may have changed it,
// or the block where several such operations' paths meet. Which operations touch what, the op table says (aspects).

import { aspects, opInfo } from '../ir/ops.js'
import type { Aspect } from '../ir/ops.js'
import { reversePostorder } from '../ir/order.js'
import type { Block, Func, Instr } from '../ir/types.js'

/** The last write that may have changed what is read, the block where paths meet, or the start of the function. */
export type Version = Instr | Block | 'start'

export interface VersionOptions {
  /** Whether entries of a table expire. Unknown counts as yes. */
  readonly expires?: (object: string) => boolean | undefined
}

/** What a read looks at. Reads with the same text of `name` share versions. */
interface Subject {
  readonly name: string
  readonly object: string | undefined
  readonly aspects: readonly Aspect[]
  /** Of a read of values: which field; undefined means any. */
  readonly field: string | undefined
  /** Of a find in a table that may expire: its clock, or 'several' if the function uses more than one for the table. */
  now: Instr | 'several' | undefined
}

/** A block, and its instructions that read or may change state, in order; few of the function's do. */
interface Scan {
  readonly block: Block
  readonly touching: Instr[]
  /** The predecessors' places in the order of scans, -1 for those that control never reaches. */
  preds: readonly number[]
}

/** The version each reading instruction sees. Reads of rules, which no program changes, see 'start'. */
export function stateVersions(func: Func, options: VersionOptions = {}): Map<Instr, Version> {
  const bySubject = new Map<string, { subject: Subject; reads: Set<Instr> }>()
  const scans: Scan[] = []
  const places = new Int32Array(func.nextId).fill(-1)
  for (const block of reversePostorder(func)) {
    places[block.id] = scans.length
    const touching: Instr[] = []
    const { instrs } = block
    for (let n = 0; n < instrs.length; n++) {
      const i = instrs[n]
      const { effect } = opInfo(i.op)
      if (effect === 'none') continue
      const subject = subjectOf(i, options)
      if (subject) {
        const entry = bySubject.get(subject.name)
        if (entry) entry.reads.add(i)
        else bySubject.set(subject.name, { subject, reads: new Set([i]) })
      } else if (effect !== 'call' && !effect.endsWith('.write')) continue
      touching.push(i)
    }
    scans.push({ block, touching, preds: [] })
  }
  oneClockOnly(bySubject.values())
  if (bySubject.size > 0) for (const s of scans) s.preds = s.block.preds.map(p => places[p.id])
  const versions = new Map<Instr, Version>()
  for (const { subject, reads } of bySubject.values()) solve(scans, subject, reads, versions)
  return versions
}

function oneClockOnly(entries: Iterable<{ subject: Subject }>): void {
  const clocks = new Map<string | undefined, Subject[]>()
  for (const { subject } of entries)
    if (subject.now) clocks.set(subject.object, [...(clocks.get(subject.object) ?? []), subject])
  for (const subjects of clocks.values()) if (subjects.length > 1) for (const s of subjects) s.now = 'several'
}

const fieldOf = (i: Instr): string | undefined =>
  i.attrs.field === undefined ? undefined : `${String(i.attrs.field)}#${String(i.attrs.part)}`

function subjectOf(i: Instr, options: VersionOptions): Subject | undefined {
  const { effect, aspects: touched = aspects } = opInfo(i.op)
  if (effect === 'rules.read')
    return { name: 'rules', object: undefined, aspects: [], field: undefined, now: undefined }
  if (effect === 'item.read')
    return { name: 'item', object: undefined, aspects: [], field: undefined, now: undefined }
  if (effect !== 'state.read') return undefined
  const object = String(i.attrs.object)
  const field = fieldOf(i)
  const timed = touched.includes('times') && options.expires?.(object) !== false
  const now = timed ? i.args.at(-1) : undefined
  const name = [object, touched.join('+'), field ?? '', now ? now.id : timed ? '?' : ''].join('/')
  return { name, object, aspects: touched, field, now }
}

/** True if the instruction may change what the subject's reads give. */
function mayChange(i: Instr, subject: Subject): boolean {
  const { effect, aspects: written = aspects } = opInfo(i.op)
  if (subject.name === 'rules') return false
  if (effect === 'call') return true
  if (subject.name === 'item') return effect === 'item.write'
  if (effect !== 'state.write' || i.attrs.object !== subject.object) return false
  const common = subject.aspects.filter(a => written.includes(a))
  const field = fieldOf(i)
  return common.some(a => {
    if (a === 'values') return field === undefined || subject.field === undefined || field === subject.field
    // Touching an entry at the reader's own time leaves what it finds as it is: present entries are alive then.
    if (a === 'times' && written.length === 1) return subject.now !== undefined && i.args[1] !== subject.now
    return true
  })
}

function solve(
  scans: readonly Scan[],
  subject: Subject,
  reads: ReadonlySet<Instr>,
  versions: Map<Instr, Version>,
): void {
  // The last change in each block, and the version at its start.
  const last = scans.map(({ touching }) => touching.findLast(i => mayChange(i, subject)))
  if (last.every(i => i === undefined)) {
    for (const i of reads) versions.set(i, 'start')
    return
  }
  const atStart: (Version | undefined)[] = scans.map(() => undefined)
  atStart[0] = 'start'
  for (let changed = true; changed;) {
    changed = false
    for (let k = 1; k < scans.length; k++) {
      const { block, preds } = scans[k]
      if (atStart[k] === block) continue
      let version: Version | undefined
      for (let n = 0; n < preds.length; n++) {
        const p = preds[n]
        const from = p < 0 ? undefined : (last[p] ?? atStart[p])
        if (from !== undefined) version = version === undefined || version === from ? from : block
        if (version === block) break
      }
      version ??= block
      if (atStart[k] === version) continue
      atStart[k] = version
      changed = true
    }
  }
  scans.forEach(({ touching }, k) => {
    let version = atStart[k]!
    for (const i of touching) {
      if (reads.has(i)) versions.set(i, version)
      if (mayChange(i, subject)) version = i
    }
  })
}
