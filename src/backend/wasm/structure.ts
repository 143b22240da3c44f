/**
 * Nested control structure out of a reducible control-flow graph, by the dominator tree: a node where forward edges
 * meet becomes the code behind the end of a `block`, and edges to it branches out of that block; the header of a loop
 * becomes a `loop`; every other node stands where its one edge comes from.
 *
 * Beyond the method's plain form:
 *   - what a loop is left for stands behind the loop, not nested in it, so that engines see loops as written;
 *   - a branch to what follows anyway is left out, and with it a block that nothing branches to;
 *   - an arm that does not come back ends before the other arm begins, so early exits do not nest;
 *   - sequences are laid out in a loop, not by recursion: thousands of nodes in a row need no stack.
 *
 * The graph is abstract (numbers and edges); the code of nodes and edges comes from an `Emitter`. Nodes have at most
 * two successors. Every node is emitted once and every edge at most once: nothing is duplicated.
 *
 * Source: Ramsey, "Beyond Relooper: Recursive Translation of Unstructured Control Flow to Structured Control Flow",
 * ICFP 2022. Read graph.ts first: dominators, loops, and where each node is placed.
 */
import {
  block,
  br,
  br_if,
  flatten,
  if_,
  label,
  loop,
  unreachable,
  type Code,
  type Instr,
  type Label,
} from './asm.js'
import { analyse, type Graph, type Layout } from './graph.js'

/** Where code comes from. Each function is called at most once per node or edge. */
export interface Emitter {
  /** What the node does before its terminator. */
  body(node: number): Code
  /** For a node without successors: how it ends. The last instruction must not go on (`return_`, `unreachable`). */
  exit(node: number): Code
  /** For a node with two successors: leaves an i32, not 0 for the first one; the opposite if `negate`. */
  condition(node: number, negate: boolean): Code
  /** What happens on the edge to the successor at `index`: the copies to phis, all reads before all writes. */
  edge(node: number, index: number): Code
  /** A name for the node's label in listings. */
  name?(node: number): string
}

/** An arm of at most this many nodes is put inside an `if`; a larger one is branched around. */
const SMALL_ARM = 8

/**
 * The whole function's code. It does not fall off its end, and in the validator's eyes it does not either.
 * Throws if the graph is not reducible.
 */
export function structure(graph: Graph, emitter: Emitter): Instr[] {
  const out: Instr[] = []
  new Structurer(graph, emitter).run(graph.order[0], undefined, out)
  if (!ends(out)) out.push(unreachable)
  return out
}

class Structurer {
  readonly #successors: Graph['successors']
  readonly #emitter: Emitter
  readonly #layout: Layout
  /** Labels of blocks whose end a node stands behind, and of loops, once something branches to them. */
  readonly #forward = new Map<number, Label>()
  readonly #backward = new Map<number, Label>()

  constructor(graph: Graph, emitter: Emitter) {
    this.#successors = graph.successors
    this.#emitter = emitter
    this.#layout = analyse(graph)
  }

  /** Appends the node and all that stands behind it. Code that runs off the end of `out` reaches `next`. */
  run(node: number, next: number | undefined, out: Instr[]): void {
    let at: number | undefined = node
    while (at !== undefined) at = this.#step(at, next, out)
  }

  /** Appends the node, and returns the one to append next. */
  #step(node: number, next: number | undefined, out: Instr[]): number | undefined {
    if (!this.#layout.isHeader(node)) return this.#node(node, next, out)
    const after = this.#layout.after(node)
    const body: Instr[] = []
    const end = after[0] ?? next
    const rest = this.#node(node, end, body)
    if (rest !== undefined) this.run(rest, end, body)
    return this.#place(after, [loop(this.#labelOf(this.#backward, node), body)], out)
  }

  #node(node: number, next: number | undefined, out: Instr[]): number | undefined {
    flatten(this.#emitter.body(node), out)
    const merges = this.#layout.merges(node)
    if (merges.length === 0) return this.#terminator(node, next, out)
    const inner: Instr[] = []
    const rest = this.#terminator(node, merges[0], inner)
    if (rest !== undefined) this.run(rest, merges[0], inner)
    return this.#place(merges, inner, out)
  }

  /**
   * Stands the nodes one behind the other after `inner`, each behind the block that branches to it leave. The last
   * one is returned, for the caller to append.
   */
  #place(nodes: readonly number[], inner: Instr[], out: Instr[]): number | undefined {
    let code = inner
    nodes.forEach((node, index) => {
      const target = this.#forward.get(node)
      code = target === undefined ? code : [block(target, code)]
      if (index < nodes.length - 1) this.run(node, nodes[index + 1], code)
    })
    for (const instr of code) out.push(instr)
    return nodes.at(-1)
  }

  #terminator(node: number, next: number | undefined, out: Instr[]): number | undefined {
    const successors = this.#successors[node]
    if (successors.length === 0) {
      flatten(this.#emitter.exit(node), out)
      return undefined
    }
    return successors.length === 1 ? this.#edge(node, 0, next, out) : this.#branch(node, next, out)
  }

  /** The edge's code and the branch to its target, if it needs one; returns a target that stands right here. */
  #edge(node: number, index: number, next: number | undefined, out: Instr[]): number | undefined {
    const target = this.#successors[node][index]
    flatten(this.#emitter.edge(node, index), out)
    if (this.#layout.isBackEdge(node, target)) out.push(br(this.#labelOf(this.#backward, target)))
    else if (!this.#layout.isPlaced(target)) return target
    else if (target !== next) out.push(br(this.#labelOf(this.#forward, target)))
    return undefined
  }

  #arm(node: number, index: number, next: number | undefined): Instr[] {
    const code: Instr[] = []
    const rest = this.#edge(node, index, next, code)
    if (rest !== undefined) this.run(rest, next, code)
    return code
  }

  #branch(node: number, next: number | undefined, out: Instr[]): number | undefined {
    const sizes = [this.#armSize(node, 0), this.#armSize(node, 1)]
    const light = sizes[0] <= sizes[1] ? 0 : 1
    const heavy = 1 - light
    const test = (index: number) => flatten(this.#emitter.condition(node, index === 1), out)

    const first = this.#arm(node, light, next)
    if (first.length === 0 && sizes[heavy] > SMALL_ARM) first.push(br(this.#labelOf(this.#forward, next!)))
    if (ends(first)) {
      test(light)
      out.push(guarded(first))
      return this.#edge(node, heavy, next, out)
    }
    const second = this.#arm(node, heavy, next)
    if (ends(second)) {
      test(heavy)
      out.push(guarded(second))
      for (const instr of first) out.push(instr)
    } else if (first.length > 0 && second.length > 0) {
      test(0)
      out.push(light === 0 ? if_(first, second) : if_(second, first))
    } else if (first.length > 0 || second.length > 0) {
      test(first.length > 0 ? light : heavy)
      out.push(if_(first.length > 0 ? first : second))
    }
    return undefined
  }

  /** How many nodes stand in the arm; 0 for a mere branch. */
  #armSize(node: number, index: number): number {
    const target = this.#successors[node][index]
    return this.#layout.isPlaced(target) || this.#layout.isBackEdge(node, target)
      ? 0
      : this.#layout.size(target)
  }

  #labelOf(labels: Map<number, Label>, node: number): Label {
    let made = labels.get(node)
    if (made === undefined) {
      made = label(this.#emitter.name?.(node) ?? `b${node}`)
      labels.set(node, made)
    }
    return made
  }
}

/** Code that does not go on, under a condition already on the stack. */
function guarded(code: readonly Instr[]): Instr {
  const only = code[0]
  return code.length === 1 && only.kind === 'branch' && only.op === BR ? br_if(only.target) : if_(code)
}

const BR = br(label()).op

/** Whether the code's last instruction never goes on to what follows. */
function ends(code: readonly Instr[]): boolean {
  const name = code.at(-1)?.op.name
  return name === 'br' || name === 'br_table' || name === 'return' || name === 'unreachable'
}
