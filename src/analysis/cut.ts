// The minimum vertex cut of a directed acyclic graph: the cheapest set of nodes that every path from the sources to the
// sinks passes.
//
// The graph is split into a network, each node an edge of the node's weight, and its maximum flow found (Dinic). By the
// max-flow min-cut theorem the saturated edges next to the sinks are a cut of minimum weight. Among all minimum cuts the
// answer is the one nearest the sinks, so more is computed once, before the cut, and less behind it. Promises: pure;
// deterministic; undefined where no cut of finite weight exists.

/** A graph for the cut. Nodes are numbered from 0. */
export interface CutGraph {
  /** Weight of each node, at least 0; Infinity where the node must not be cut. */
  readonly weights: readonly number[]
  /** Edges by the node they start from. */
  readonly successors: readonly (readonly number[])[]
  readonly sources: readonly number[]
  readonly sinks: readonly number[]
}

export interface Cut {
  /** In ascending order. */
  readonly nodes: readonly number[]
  readonly weight: number
}

/** Residual capacities in adjacency lists; edge e and e ^ 1 are each other's reverse. */
class Network {
  private readonly heads: number[][]
  private readonly to: number[] = []
  private readonly room: number[] = []
  private level: number[] = []
  private next: number[] = []

  constructor(nodes: number) {
    this.heads = Array.from({ length: nodes }, () => [])
  }

  edge(from: number, to: number, capacity: number): void {
    this.heads[from].push(this.to.length)
    this.heads[to].push(this.to.length + 1)
    this.to.push(to, from)
    this.room.push(capacity, 0)
  }

  /** Sends as much as fits from source to target; stops early once the flow is infinite. */
  maximumFlow(source: number, target: number): number {
    let flow = 0
    while (flow < Infinity && this.rank(source, target)) {
      this.next = this.heads.map(() => 0)
      for (let pushed = -1; pushed !== 0 && flow < Infinity; flow += pushed)
        pushed = this.push(source, target)
    }
    return flow
  }

  private rank(source: number, target: number): boolean {
    this.level = this.heads.map(() => -1)
    this.level[source] = 0
    const queue = [source]
    for (const node of queue)
      for (const e of this.heads[node])
        if (this.room[e] > 0 && this.level[this.to[e]] < 0) {
          this.level[this.to[e]] = this.level[node] + 1
          queue.push(this.to[e])
        }
    return this.level[target] >= 0
  }

  /** One augmenting path along rising levels, found without recursion: the graphs can be deep. */
  private push(source: number, target: number): number {
    const path: number[] = []
    let node = source
    while (node !== target) {
      const e = this.heads[node][this.next[node]]
      if (e === undefined) {
        const back = path.pop()
        if (back === undefined) return 0
        node = this.to[back ^ 1]
        this.next[node]++
      } else if (this.room[e] > 0 && this.level[this.to[e]] === this.level[node] + 1) {
        path.push(e)
        node = this.to[e]
      } else this.next[node]++
    }
    const amount = Math.min(...path.map(e => this.room[e]))
    if (amount === Infinity) return Infinity
    for (const e of path) {
      this.room[e] -= amount
      this.room[e ^ 1] += amount
    }
    return amount
  }

  /** The nodes from which the target can still be reached. */
  reaching(target: number): Set<number> {
    const found = new Set([target])
    for (const node of found)
      for (const e of this.heads[node]) if (this.room[e ^ 1] > 0) found.add(this.to[e])
    return found
  }
}

/** The cheapest cut, the one nearest the sinks if several cost the same; undefined if each costs infinity. */
export function minimumCut(graph: CutGraph): Cut | undefined {
  const n = graph.weights.length
  const [source, target] = [2 * n, 2 * n + 1]
  const network = new Network(2 * n + 2)
  graph.weights.forEach((weight, v) => network.edge(2 * v, 2 * v + 1, weight))
  graph.successors.forEach((targets, v) => targets.forEach(w => network.edge(2 * v + 1, 2 * w, Infinity)))
  for (const v of graph.sources) network.edge(source, 2 * v, Infinity)
  for (const v of graph.sinks) network.edge(2 * v + 1, target, Infinity)
  if (network.maximumFlow(source, target) === Infinity) return undefined
  const near = network.reaching(target)
  const nodes = graph.weights.flatMap((_, v) => (near.has(2 * v + 1) && !near.has(2 * v) ? [v] : []))
  return { nodes, weight: nodes.reduce((sum, v) => sum + graph.weights[v], 0) }
}
