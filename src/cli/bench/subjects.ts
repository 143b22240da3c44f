// Programs and traces that benchmarks run: compiled with every way of running, rules filled, settings taken.

import { existsSync } from 'node:fs'
import { standardTrace, traceNames, traceStore } from '../../measure/traces.js'
import type { TraceName } from '../../measure/traces.js'
import type { Subject } from '../../measure/scaling.js'
import type { Compiled } from '../../compile.js'
import type { PacketStore } from '../../engine/packets.js'
import { bundled } from '../bundled.js'
import { UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { optionsOf } from '../inputs.js'
import { nearest } from '../nearest.js'
import { compileProgram } from '../program.js'

/** The programs of the paper's table 1, in its order. */
export const paperPrograms = [
  'ddos-mitigator',
  'heavy-hitter',
  'connection-tracker',
  'token-bucket',
  'port-knocking',
] as const

/** A bundled program's file by its name, or the file that was given. */
export function programFile(given: string): string {
  return existsSync(given) ? given : (bundled(given) ?? given)
}

export interface NamedSubject extends Subject {
  readonly name: string
}

/** Compiles a program for measuring; --set and --table apply. */
export async function subjectOf(given: string, flags: Flags, io: Io): Promise<NamedSubject> {
  const { artifact } = await compileProgram(programFile(given), io, { hybrid: true })
  const { rules, settings } = optionsOf(flags, artifact)
  return { name: artifact.name, artifact, ...(rules && { rules }), ...(settings && { settings }) }
}

const idleSource = `import { type Packet, Verdict } from 'hairpin'

export default function idle(_packet: Packet): Verdict {
  return Verdict.Drop
}
`

/** A program that drops everything: what a loop around a program costs by itself. */
export async function idleProgram(): Promise<Compiled> {
  const { compile } = await import('../../compile.js')
  const { compiled, diagnostics } = compile('idle.ts', idleSource, { hybrid: true })
  if (!compiled) throw new Error(diagnostics.map(d => d.message).join('; '))
  return compiled
}

export const idleSubject = async (): Promise<Subject> => ({ artifact: (await idleProgram()).artifact })

/** A standard trace in memory. `single-flow` may be written for `single flow`. */
export const storeOf = (given: string, packets: number): PacketStore =>
  standardStore(traceNamed(given), packets)

/** A standard trace's name as it was given. */
export function traceNamed(given: string): TraceName {
  const name = given.replaceAll('-', ' ')
  const found = traceNames.find(known => known === name)
  if (found === undefined) {
    const near = nearest(given, traceNames)
    throw new UsageError(
      `--trace takes ${traceNames.map(n => n.replaceAll(' ', '-')).join(', ')}, not ${given}.` +
        (near === undefined ? '' : ` Did you mean ${near}?`),
    )
  }
  return found
}

export const standardStore = (name: TraceName, packets: number): PacketStore =>
  traceStore(name, { seed: 1, ...standardTrace(name, packets) }, packets)
