// Explicit-state model checking, small: every state that can be reached, whatever the interleaving.
//
// A model's state is a few bytes. `explore` visits all states breadth first, so that the trace to a bad one is a
// shortest one, and then looks backwards: a state from which the end cannot be reached any more is a deadlock (or a
// livelock without a way out). Promises: exhaustive, or an error that says the bound was too low.

export interface Model {
  readonly start: Uint8Array
  /** Calls `to` for each state that one step of one party leads to, with what the step is. */
  steps(state: Uint8Array, to: (next: Uint8Array, step: string) => void): void
  /** What is wrong with a state that must never be, or undefined. */
  wrong(state: Uint8Array): string | undefined
  /** Everybody has finished. */
  ended(state: Uint8Array): boolean
}

export interface Exploration {
  readonly states: number
  readonly transitions: number
  /** Ends that were reached. */
  readonly ends: number
  /** The shortest way to something wrong, and what it is. */
  readonly fault?: { readonly what: string; readonly trace: readonly string[] }
}

const keyOf = (state: Uint8Array): string =>
  Buffer.from(state.buffer, state.byteOffset, state.length).toString('latin1')

export function explore(model: Model, mostStates = 4_000_000): Exploration {
  const index = new Map<string, number>([[keyOf(model.start), 0]])
  const states = [model.start]
  /** Per state: the one it was found from. */
  const parents = [-1]
  const edges: number[] = []
  const firstEdge: number[] = []
  let ends = 0
  const result = (what?: string, at?: number): Exploration => ({
    states: states.length,
    transitions: edges.length,
    ends,
    ...(what !== undefined && { fault: { what, trace: traceTo(model, states, parents, at!) } }),
  })
  for (let s = 0; s < states.length; s++) {
    const state = states[s]
    const what = model.wrong(state)
    if (what !== undefined) return result(what, s)
    if (model.ended(state)) ends++
    firstEdge.push(edges.length)
    model.steps(state, next => {
      const key = keyOf(next)
      let to = index.get(key)
      if (to === undefined) {
        to = states.length
        if (to >= mostStates)
          throw new Error(`more than ${mostStates} states: the model is too large to explore`)
        index.set(key, to)
        states.push(next)
        parents.push(s)
      }
      edges.push(to)
    })
  }
  firstEdge.push(edges.length)
  const stuck = firstStuck(model, states, edges, firstEdge)
  return stuck === undefined ? result() : result('no end can be reached from here', stuck)
}

/** The first state, in the order found, from which no end can be reached. */
function firstStuck(
  model: Model,
  states: readonly Uint8Array[],
  edges: readonly number[],
  firstEdge: readonly number[],
): number | undefined {
  const incoming = new Int32Array(states.length + 1)
  for (const to of edges) incoming[to + 1]++
  for (let s = 0; s < states.length; s++) incoming[s + 1] += incoming[s]
  const from = new Int32Array(edges.length)
  const next = incoming.slice()
  for (let s = 0; s < states.length; s++)
    for (let e = firstEdge[s]; e < firstEdge[s + 1]; e++) from[next[edges[e]]++] = s
  const good = new Uint8Array(states.length)
  const open: number[] = []
  states.forEach((state, s) => {
    if (!model.ended(state)) return
    good[s] = 1
    open.push(s)
  })
  for (let s = open.pop(); s !== undefined; s = open.pop())
    for (let e = incoming[s]; e < incoming[s + 1]; e++) {
      if (good[from[e]]) continue
      good[from[e]] = 1
      open.push(from[e])
    }
  const stuck = good.indexOf(0)
  return stuck < 0 ? undefined : stuck
}

/** The steps that lead to a state. */
function traceTo(
  model: Model,
  states: readonly Uint8Array[],
  parents: readonly number[],
  at: number,
): string[] {
  const path: number[] = []
  for (let s = at; s >= 0; s = parents[s]) path.unshift(s)
  return path.slice(1).map((to, i) => {
    const key = keyOf(states[to])
    let name = ''
    model.steps(states[path[i]], (next, step) => {
      if (keyOf(next) === key) name = step
    })
    return name
  })
}
