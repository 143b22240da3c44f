/** A case: a program, packets and settings, made from one number. And what it comes to. */

import { InvariantError } from '../../src/ir/invariant.js'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import type { PacketStore } from '../../src/engine/packets.js'
import { runSerial, verify } from '../../src/engine/verify.js'
import type { Case as Verified, VerifyOptions } from '../../src/engine/verify.js'
import { describeDifference, diffStates } from '../../src/state/diff.js'
import { buildRules } from '../../src/state/rules.js'
import { eager } from '../../src/strategy/balance.js'
import { allStrategies, strategyWith } from '../../src/strategy/strategies.js'
import type { Strategy } from '../../src/strategy/strategy.js'
import { factsOf } from '../../src/transform/expand/facts.js'
import { copyOf } from '../../src/transform/expand/rewrite.js'
import { optimise } from '../../src/transform/optimise.js'
import { Draw } from './draw.js'
import { randomProgram, sourceOf } from './program.js'
import { randomRules, randomTraffic, storeOf } from './traffic.js'
import type { RandomPacket } from './traffic.js'
import type { Tree } from './tree.js'

export interface Case {
  readonly seed: number
  readonly program: Tree
  readonly packets: readonly RandomPacket[]
}

/** What went wrong; `kind` is the same for failures that look alike, so that a smaller case can be told from another. */
export interface Failure {
  readonly kind: string
  readonly what: string
  /** Running it in these ways shows it; absent if compiling does. */
  readonly ways?: Ways
}

/** Strategies and numbers of workers to try. */
export interface Ways {
  readonly strategies: readonly Strategy[]
  readonly cores: readonly number[]
}

export interface Examined {
  readonly failure?: Failure
  /** Why the program was refused, if it was not the compiler's fault. */
  readonly refused?: string
  /** Strategies that ran. */
  readonly ran: readonly Verified[]
}

/** Messages about constants that a generator of text cannot know to be constant: after inlining and unrolling. */
const tolerated = new Set(['HP1101', 'HP1104'])

export function caseOf(seed: number): Case {
  const program = randomProgram(seed)
  const draw = new Draw(seed ^ 0x5eed)
  return { seed, program, packets: randomTraffic(draw, 20 + draw.below(120)) }
}

/** Runs a compiled case and compares. */
export type Runner = (
  compiled: Compiled,
  seed: number,
  packets: readonly RandomPacket[],
  ways?: Ways,
) => Promise<Examined>

/** Compiles and runs a case, in every way unless some are given, and compares. */
export const examine = (
  { seed, program, packets }: Case,
  ways?: Ways,
  runner: Runner = run,
): Promise<Examined> => examineSource(sourceOf(program), seed, packets, ways, runner)

/** The same for a program's text. */
export async function examineSource(
  text: string,
  seed: number,
  packets: readonly RandomPacket[],
  ways?: Ways,
  runner: Runner = run,
): Promise<Examined> {
  let compiled: Compiled | undefined
  try {
    const compilation = compile('random.ts', text, { hybrid: true })
    compiled = compilation.compiled
    if (!compiled) return { ran: [], ...refusal(compilation.diagnostics) }
    return await runner(compiled, seed, packets, ways)
  } catch (error) {
    const { message, stack } = error as Error
    const kind = error instanceof InvariantError ? 'an invariant does not hold' : 'an exception'
    return {
      ran: [],
      failure: {
        kind: `${kind}: ${message.split('\n')[0].replace(/\d+/g, '#').slice(0, 60)}`,
        what: stack ?? message,
      },
    }
  }
}

function refusal(diagnostics: readonly { readonly code: string; readonly message: string }[]) {
  const texts = diagnostics.map(({ code, message }) => `${code}: ${message}`)
  // TypeScript sees through more than a generator does; what it calls pointless says nothing about us.
  const refused =
    texts.find(text => text.startsWith('TS')) ?? texts.find(text => tolerated.has(text.slice(0, 6)))
  if (refused !== undefined) return { refused }
  const what = texts.join('\n')
  return { failure: { kind: `refused with ${texts[0]?.slice(0, 6) ?? 'no diagnostic'}`, what } }
}

/** How a case is run: drawn apart from the packets, so that a case with fewer of them keeps its settings. */
export function drawnOptions({ artifact }: Compiled, seed: number, packets: readonly RandomPacket[]) {
  const draw = new Draw(seed ^ 0xca5e)
  const settings = new Map(
    artifact.settings.flatMap(({ name, type }) =>
      draw.chance(1, 2) ? [[name, valueOf(draw, type)] as const] : [],
    ),
  )
  const slabPackets = 1 + draw.below(draw.pick([8, 200]))
  const cores = [1 + draw.below(4), 5 + draw.below(12)]
  const rules = buildRules(artifact.rulesLayout, randomRules(draw, artifact.rules, packets))
  if (!rules.ok) throw new Error(`rules: ${rules.message}`)
  return {
    seed: BigInt(seed),
    settings,
    slabPackets,
    cores,
    epoch: { packets: 1 + draw.below(40), replay: 0, balance: eager },
    ...(artifact.rules.length && { rules: rules.bytes }),
  }
}

async function run(
  compiled: Compiled,
  seed: number,
  packets: readonly RandomPacket[],
  ways?: Ways,
): Promise<Examined> {
  const { program, artifact } = compiled
  const options = {
    ...drawnOptions(compiled, seed, packets),
    strategies: allStrategies.filter(s => s.history !== 'value'),
    ...ways,
  }
  const store = storeOf(packets)
  const failure = optimised(compiled, store, options)
  if (failure) return { ran: [], failure }
  const { cases } = await verify({ program, artifact }, store, options)
  const ran = cases.filter(c => c.skipped === undefined)
  const bad = ran.find(c => c.divergent > 0)
  if (!bad) return { ran }
  const where = bad.first?.packet === undefined ? '' : `packet ${bad.first.packet}: `
  const what = `${bad.strategy}, ${bad.cores} workers: ${where}${bad.first?.what}`
  const shown = {
    strategies: [strategyWith(bad.strategy, { ...bad, recovery: bad.recovery !== undefined })!],
    cores: [bad.cores],
  }
  return { ran, failure: { kind: `${bad.strategy} differs`, what, ways: shown } }
}

/** The interpreter on the optimised program against the interpreter on the front end's. */
function optimised(compiled: Compiled, store: PacketStore, options: VerifyOptions): Failure | undefined {
  const { program, artifact } = compiled
  const main = copyOf(program.functions[0])
  optimise(main, { facts: factsOf(program.objects), check: true })
  const [before, after] = [program, { ...program, functions: [main] }].map(functions =>
    runSerial({ program: functions, artifact }, store, options),
  )
  const kind = 'the optimised program differs'
  const ways = { strategies: [], cores: [] }
  for (const [n, verdict] of before.verdicts.entries())
    if (verdict !== after.verdicts[n] || before.digests[n] !== after.digests[n])
      return { kind, what: `${kind} in packet ${n}`, ways }
  const [left, right] = [before, after].map(({ machine: { memory } }) => ({ memory, base: 0 }))
  const { equal, differences } = diffStates(left, right, artifact.stateLayout, 1)
  if (equal) return undefined
  return { kind, what: `${kind}: ${describeDifference(differences[0], 'before', 'after')}`, ways }
}

function valueOf(draw: Draw, type: string): bigint {
  if (type === 'bool') return BigInt(draw.below(2))
  const bits = Number(type.slice(1))
  return type.startsWith('i') ? draw.signed(bits) : draw.number(bits)
}
