// Fast-forwarding in the kernel: the function `replay` applies the items of a frame that its worker has not seen.
//
//   for each slot of the ring, as it stands in the frame:   note[slot] = early(item[slot])
//   for each item not handled yet, from the oldest on:      late(note[slot])
//
// The first loop needs no order, so its offsets are constants to the verifier; it hashes the items and touches the
// lines of the tables they will need, all at once (transform/split-advance.ts). Notes live in a map of the worker's
// own, and are linked to a ring: each ends in the offset of the next one, which user space writes once. So going round
// takes one load, and the verifier, who knows nothing of what is loaded, looks at the second loop as if it had one
// round (may_goto). Its condition are bits: what is left of the effect bitmap, oldest first, ends it when it is 0.
//
// Kernels before 6.9 have no may_goto: there rounds are counted, the verifier follows each, and what a round does with the
// state is a function of its own, `late`, which is verified once because it takes nothing but numbers.
//
// Arguments: the header's first byte (a packet pointer that reaches the packet behind it), the effect bits of the
// items to apply, the offset of the note before the first of them, and its packet's number. Read frame.ts before this.

import { readsInput } from '../../ir/inputs.js'
import type { SplitAdvance } from '../../transform/split-advance.js'
import {
  alu64,
  callLocal,
  ja,
  jeq,
  jge,
  jgt,
  jlt,
  jne,
  jset,
  ldMapValue,
  ldx,
  mayGoto,
  mov64,
  r0,
  r1,
} from './asm.js'
import type { Code, Register } from './asm.js'
import type { FrameShape } from './frame.js'
import type { MapDeclaration } from './maps.js'
import type { ItemPlace } from './item.js'
import type { Block, Condition, Machine, Operand, Step, Value } from './machine.js'
import { select } from './select.js'
import type { Target } from './target.js'

/** The map of notes. */
export const notesMap = '.notes'
/** Bytes from one note to the next: the note and the offset of its successor, u32. */
export const noteStride = ({ noteBytes }: SplitAdvance): number => Math.ceil((noteBytes + 4) / 8) * 8
const linkAt = (split: SplitAdvance): number => noteStride(split) - 4

export function notesDeclaration(split: SplitAdvance, slots: number): MapDeclaration {
  const stride = noteStride(split)
  return {
    name: notesMap,
    valueSize: slots * stride,
    valueType: btf => btf.array(btf.unsigned(1), slots * stride),
  }
}

/** First contents of the map: the notes' links. */
export function emptyNotes(split: SplitAdvance, slots: number): Uint8Array {
  const stride = noteStride(split)
  const bytes = new Uint8Array(slots * stride)
  const view = new DataView(bytes.buffer)
  for (let s = 0; s < slots; s++) view.setUint32(s * stride + linkAt(split), ((s + 1) % slots) * stride, true)
  return bytes
}

/** The function, of a frame with one slot at least, and what it calls. */
export function replay(split: SplitAdvance, target: Target, frame: FrameShape): Machine[] {
  const found = [new Replay(split, target, frame).machine()]
  if (target.loops === 'bounded') found.push(new Replay(split, target, frame).late())
  return found
}

/** The function that applies one item, where it is one of its own. */
const lateName = 'late'

class Replay {
  private readonly split: SplitAdvance
  private readonly target: Target
  private readonly frame: FrameShape
  private readonly blocks: Block[] = []
  private ids = 0

  constructor(split: SplitAdvance, target: Target, frame: FrameShape) {
    this.split = split
    this.target = target
    this.frame = frame
  }

  machine(): Machine {
    const names = ['header', 'effects', 'previous', 'number']
    const [header, effects, previous, number] = names.map(n => this.value(n))
    const noted = this.foresee(header)
    this.apply(noted, effects, previous, number)
    const params = [header, effects, previous, ...(usesSequence(this.split) ? [number] : [])]
    const exitsFirst = this.target.loops === 'bounded'
    return { name: 'replay', params, largest: 0n, exitsFirst, straight: false, blocks: this.blocks }
  }

  /** The offset of a note and the number of its packet in; the state is as after it. */
  late(): Machine {
    const { split, target } = this
    const [at, sequence] = ['at', 'sequence'].map(n => this.value(n))
    const start = this.block(0)
    const note = this.note(start, at)
    const late = select(split.late, target, false, this.latePlace(note, sequence))
    link(start, late.blocks[0])
    for (const b of late.blocks) b.id = this.ids++
    const numbers = ['at', ...(usesSequence(split) ? ['sequence'] : [])]
    return {
      ...late,
      name: lateName,
      params: [at, ...(usesSequence(split) ? [sequence] : [])],
      largest: 0n,
      numbers,
      blocks: [start, ...late.blocks],
    }
  }

  private latePlace(note: Value, sequence: Value): ItemPlace {
    const { noteAt, touches } = this.split
    return { note: { pointer: note, off: 0 }, noteAt, touches, sequence }
  }

  /** The first loop; the block it leaves by. */
  private foresee(header: Value): Block {
    const { split, target, frame } = this
    const start = this.block(0)
    const notes = this.value('notes')
    start.steps.push(define(notes, [], d => [ldMapValue(d, notesMap)]))
    const item = this.value('item')
    const note = this.value('note')
    const count = this.value('count')
    const place = {
      item: { pointer: item, off: frame.items },
      note: { pointer: note, off: 0 },
      noteAt: split.noteAt,
      touches: split.touches,
    }
    const [setup, each] = select(split.early, target, false, place).blocks
    start.steps.push(...setup.steps)
    const head = this.block(1)
    link(start, head)
    head.steps.push(...each.steps)
    const next = [item, note, count].map(v => like(this.value(v.name), v))
    head.steps.push(
      add(next[0], item, frame.itemBytes),
      add(next[1], note, noteStride(split)),
      add(next[2], count, 1),
    )
    const again = this.block(1)
    const done = this.block(0)
    const more: Condition = {
      uses: [next[2]],
      jump: (out, to, sense) => {
        const c = out.read(next[2], r0)
        out.push((sense ? jlt : jge).imm(c, frame.slots, to))
      },
    }
    branch(head, more, again, done)
    link(again, head)
    const starts: Operand[] = [header, notes, 0n]
    head.phis = [item, note, count].map((dst, k) => ({ dst, args: [starts[k], next[k]] }))
    return done
  }

  /** The second loop. */
  private apply(before: Block, effects: Value, previous: Value, number: Value): void {
    const { split, target } = this
    const left = this.value('left')
    const at = this.value('at')
    const sequence = this.value('sequence')
    const first = this.value('first')
    const bits = this.value('bits')
    before.steps.push(
      this.follow(first, this.note(before, previous)),
      // Changes nothing but what the verifier knows: bits of their own, and not those that the caller has too.
      define(bits, [effects], (d, read) => [...move(d, read(effects)), alu64.or.imm(d, 0)]),
    )
    const head = this.block(1)
    link(before, head)
    const counted = target.loops === 'bounded'
    if (!counted) head.steps.push({ uses: [], write: out => out.push(mayGoto(out.trap)) })
    const body = this.detached(1)
    const latch = this.detached(1)
    const hasEffect: Condition = {
      uses: [left],
      jump: (out, to, sense) => {
        const bits = out.read(left, r0)
        if (sense) return out.push(jset.imm(bits, 1, to))
        const over = out.label()
        out.push(jset.imm(bits, 1, over), ja(to), over)
      },
    }
    const note = this.note(head, at)
    branch(head, hasEffect, body, latch)
    this.blocks.push(body)
    const numbers = usesSequence(split)
    if (counted) {
      body.steps.push(calls(lateName, [at, ...(numbers ? [sequence] : [])]))
      link(body, latch)
    } else {
      const late = select(split.late, target, false, this.latePlace(note, sequence)).blocks
      link(body, late[0])
      for (const b of late) {
        b.id = this.ids++
        b.depth++
        this.blocks.push(b)
        if (b.end.kind === 'return') link(b, latch)
      }
    }
    this.blocks.push(latch)

    const rounds = this.value('rounds')
    const next = [left, at, sequence, rounds].map(v => like(this.value(v.name), v))
    latch.steps.push(
      this.follow(next[1], note),
      define(next[0], [left], (d, read) => [...move(d, read(left)), alu64.rsh.imm(d, 1)]),
    )
    if (numbers) latch.steps.push(add(next[2], sequence, 1))
    if (counted) latch.steps.push(this.following(next[3], rounds))
    const again = this.block(1)
    const done = this.block(0)
    done.end = { kind: 'return', targets: [] }
    const more: Condition = {
      uses: [next[0]],
      jump: (out, to, sense) => out.push((sense ? jne : jeq).imm(out.read(next[0], r0), 0, to)),
    }
    branch(latch, more, again, done)
    link(again, head)
    const starts: Operand[] = [bits, first, number, 0n]
    head.phis = [left, at, sequence, rounds].flatMap((dst, k) =>
      (k === 2 && !numbers) || (k === 3 && !counted) ? [] : [{ dst, args: [starts[k], next[k]] }],
    )
  }

  /** The next round's number, of which there are as many as slots: the verifier sees that the loop ends. */
  private following(next: Value, rounds: Value): Step {
    return {
      dst: next,
      uses: [rounds],
      kept: true,
      write: out =>
        out.write(next, r0, d => {
          out.into(d, rounds)
          out.push(jgt.imm(d, this.frame.slots, out.trap), alu64.add.imm(d, 1))
        }),
    }
  }

  /** A pointer to the note at an offset, which is never beyond the last. */
  private note(block: Block, at: Value): Value {
    const note = this.value('note')
    const last = (this.frame.slots - 1) * noteStride(this.split)
    block.steps.push({
      dst: note,
      uses: [at],
      write: out =>
        out.write(note, r0, d => {
          let offset = out.read(at, r1)
          if (offset === d) {
            out.push(mov64.reg(r1, d))
            offset = r1
          }
          out.push(jgt.imm(offset, last, out.trap), ldMapValue(d, notesMap), alu64.add.reg(d, offset))
        }),
    })
    return note
  }

  /** The offset of the next note. */
  private follow(dst: Value, note: Value): Step {
    return define(dst, [note], (d, read) => [ldx.w(d, read(note), linkAt(this.split))])
  }

  private value(name: string | undefined): Value {
    return { id: this.ids++, ...(name !== undefined && { name }) }
  }

  private detached(depth: number): Block {
    return { id: this.ids++, depth, phis: [], steps: [], end: { kind: 'trap', targets: [] }, preds: [] }
  }

  private block(depth: number): Block {
    const b = this.detached(depth)
    this.blocks.push(b)
    return b
  }
}

/** Whether items need the numbers of their packets. */
export const usesSequence = ({ late }: SplitAdvance): boolean => readsInput(late, 'sequence')

/** A value that would like the register of another. */
const like = (value: Value, other: Value): Value => ({ ...value, like: other })

const move = (to: Register, from: Register): Code => (to === from ? [] : [mov64.reg(to, from)])

function define(
  dst: Value,
  uses: readonly Value[],
  code: (d: Register, read: (v: Value) => Register) => Code,
): Step {
  return { dst, uses, write: out => out.write(dst, r0, d => out.push(...code(d, v => out.read(v, r1)))) }
}

/** Calls a function that answers nothing. */
const calls = (name: string, operands: readonly Value[]): Step => ({
  uses: operands,
  call: true,
  kept: true,
  write(out) {
    out.arguments(operands)
    out.push(callLocal({ label: name }))
  },
})

const add = (dst: Value, from: Value, n: number): Step =>
  define(dst, [from], (d, read) => [...move(d, read(from)), alu64.add.imm(d, n)])

function link(from: Block, to: Block): void {
  from.end = { kind: 'jump', targets: [to] }
  to.preds.push(from)
}

function branch(from: Block, condition: Condition, yes: Block, no: Block): void {
  from.end = { kind: 'branch', condition, targets: [yes, no] }
  yes.preds.push(from)
  no.preds.push(from)
}
