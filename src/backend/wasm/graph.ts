/**
 * What the structurer must know of a control-flow graph: dominators, loops, and the place of every node. A node is
 * placed behind the end of a block if several forward edges meet in it, or if it is what a loop is left for; then it
 * belongs to the node that encloses all branches to it. Every other node stands at its only edge.
 *
 * Loops are the natural loops of back edges; a graph in which a retreating edge leads to a node that does not
 * dominate its source is not reducible and refused. All work is near linear in edges, times the depth of loops.
 */

export interface Graph {
  /** Nodes that each node leads to, at most two, in the order of its terminator; both may be the same. */
  readonly successors: readonly (readonly number[])[]
  /** Reverse postorder of the nodes that can be reached, the entry first. */
  readonly order: readonly number[]
}

export interface Layout {
  /** Whether a back edge leads to the node. */
  isHeader(node: number): boolean
  isBackEdge(from: number, to: number): boolean
  /** Whether forward edges to the node are branches out of a block. */
  isPlaced(node: number): boolean
  /** Nodes to place behind the node's terminator, in order. */
  merges(node: number): readonly number[]
  /** Nodes to place behind the loop that the node heads, in order. */
  after(node: number): readonly number[]
  /** How many nodes the node dominates, itself included. */
  size(node: number): number
}

/** Reverse postorder of the nodes that `entry` reaches, for callers that have none. */
export function reversePostorder(successors: Graph['successors'], entry = 0): number[] {
  const order: number[] = []
  const seen = new Set([entry])
  const stack = [{ node: entry, index: 0 }]
  while (stack.length > 0) {
    const top = stack[stack.length - 1]
    const target = successors[top.node][top.index++]
    if (target === undefined) order.push(stack.pop()!.node)
    else if (!seen.has(target)) {
      seen.add(target)
      stack.push({ node: target, index: 0 })
    }
  }
  return order.toReversed()
}

const NONE = -1
const NOTHING: readonly number[] = []

export function analyse({ successors, order }: Graph): Layout {
  const count = successors.length
  const position = new Int32Array(count).fill(NONE)
  order.forEach((node, index) => (position[node] = index))
  const isRetreating = (from: number, to: number) => position[to] <= position[from]

  const predecessors: number[][] = successors.map(() => [])
  const forwardEdges = new Int32Array(count)
  for (const node of order) {
    if (successors[node].length > 2) throw new Error(`node ${node} has more than two successors`)
    for (const target of successors[node]) {
      predecessors[target].push(node)
      if (!isRetreating(node, target)) forwardEdges[target]++
    }
  }

  const dominators = new Dominators(order, position, predecessors)
  const dominator = dominators.parent
  const sizes = new Int32Array(count).fill(1)
  for (const node of order.toReversed()) if (dominator[node] !== NONE) sizes[dominator[node]] += sizes[node]

  // the innermost loop of each node, named by its header, and the loop around each loop
  const headers = order.filter(node => predecessors[node].some(from => isRetreating(from, node)))
  const innermost = new Int32Array(count).fill(NONE)
  const around = new Int32Array(count).fill(NONE)
  for (const header of headers) {
    around[header] = innermost[header]
    const members = new Set([header])
    const stack = predecessors[header].filter(from => isRetreating(from, header))
    for (const from of stack) {
      if (!dominators.dominates(header, from)) {
        throw new Error(
          `control flow is not reducible: the edge from node ${from} to ${header} enters a loop`,
        )
      }
    }
    while (stack.length > 0) {
      const node = stack.pop()!
      if (members.has(node)) continue
      members.add(node)
      stack.push(...predecessors[node])
    }
    for (const node of members) innermost[node] = header
  }
  const contains = (header: number, node: number): boolean => {
    let at = innermost[node]
    while (at !== NONE && at !== header) at = around[at]
    return at === header
  }

  const merges = new Map<number, number[]>()
  const after = new Map<number, number[]>()
  const placed = new Uint8Array(count)
  for (const node of order) {
    const parent = dominator[node]
    if (parent === NONE) continue
    let left = NONE
    for (let at = innermost[parent]; at !== NONE && !contains(at, node); at = around[at]) left = at
    if (left === NONE && forwardEdges[node] < 2) continue
    placed[node] = 1
    const [where, owner] = left === NONE ? [merges, parent] : [after, left]
    const list = where.get(owner)
    if (list === undefined) where.set(owner, [node])
    else list.push(node)
  }

  const isHeader = new Set(headers)
  return {
    isHeader: node => isHeader.has(node),
    isBackEdge: isRetreating,
    isPlaced: node => placed[node] === 1,
    merges: node => merges.get(node) ?? NOTHING,
    after: node => after.get(node) ?? NOTHING,
    size: node => sizes[node],
  }
}

/**
 * The dominator tree, grown along the order. Retreating edges are left out, which is right if, and only if, each of
 * them leads to a dominator of its source; `analyse` checks that with the tree itself. Every node keeps besides its
 * parent a jump to an ancestor farther up, so that questions take logarithmic time (Myers, "An Applicative
 * Random-Access Stack", 1983).
 */
class Dominators {
  /** The immediate dominator of each node; -1 for the entry and for nodes that cannot be reached. */
  readonly parent: Int32Array
  readonly #depth: Int32Array
  readonly #jump: Int32Array

  constructor(order: readonly number[], position: Int32Array, predecessors: readonly number[][]) {
    this.parent = new Int32Array(position.length).fill(NONE)
    this.#depth = new Int32Array(position.length)
    this.#jump = new Int32Array(position.length)
    this.#jump[order[0]] = order[0]
    for (const node of order.slice(1)) {
      let meet = NONE
      for (const from of predecessors[node]) {
        if (position[from] < position[node]) meet = meet === NONE ? from : this.#meet(meet, from)
      }
      this.#add(node, meet)
    }
  }

  dominates(above: number, node: number): boolean {
    return this.#depth[node] >= this.#depth[above] && this.#ancestor(node, this.#depth[above]) === above
  }

  #add(node: number, parent: number): void {
    const depth = this.#depth
    const near = this.#jump[parent]
    const far = this.#jump[near]
    this.parent[node] = parent
    depth[node] = depth[parent] + 1
    this.#jump[node] = depth[parent] - depth[near] === depth[near] - depth[far] ? far : parent
  }

  #ancestor(node: number, depth: number): number {
    let at = node
    while (this.#depth[at] > depth)
      at = this.#depth[this.#jump[at]] >= depth ? this.#jump[at] : this.parent[at]
    return at
  }

  #meet(one: number, other: number): number {
    const depth = Math.min(this.#depth[one], this.#depth[other])
    let a = this.#ancestor(one, depth)
    let b = this.#ancestor(other, depth)
    while (a !== b) {
      const far = this.#jump[a] !== this.#jump[b]
      a = far ? this.#jump[a] : this.parent[a]
      b = far ? this.#jump[b] : this.parent[b]
    }
    return a
  }
}
