// hairpin verify: proves the contract of each strategy on a capture. README.md beside this file is the help.

import { openCapture } from '../../device/capture.js'
import { faultText } from '../../device/fault.js'
import { compiledWalkers } from '../../device/walker.js'
import { loadPackets } from '../../engine/packets.js'
import { mostWorkers } from '../../engine/plan.js'
import { verify } from '../../engine/verify.js'
import type { Case, Verification } from '../../engine/verify.js'
import { shared, sharingText } from '../../strategy/shared.js'
import { allStrategies, lossyStrategies } from '../../strategy/strategies.js'
import type { Strategy } from '../../strategy/strategy.js'
import { Failure, UsageError } from '../command.js'
import type { Command } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, numberList, onlyArgument, share, text } from '../flags.js'
import { grid, grouped, paragraph } from '../grid.js'
import { fieldsOf, shardedBy } from '../fields.js'
import { changesOf } from '../changes.js'
import { captureOf, lossOf, lossRefusal, optionsOf, runFlags, seedText, strategyOf } from '../inputs.js'
import { compileProgram } from '../program.js'
import { refusal } from '../refusal.js'
import { inForm, sharingOf } from '../sharing.js'

export const command: Command = {
  name: 'verify',
  flags: {
    ...runFlags,
    strategy: { type: 'string', short: 's' },
    cores: { type: 'string', short: 'c' },
    fields: { type: 'string' },
    sharing: { type: 'string' },
    threads: { type: 'boolean' },
    packets: { type: 'string' },
    loss: { type: 'string' },
    change: { type: 'string', multiple: true },
  },
  async run(flags, io) {
    const file = onlyArgument(flags, 'PROGRAM')
    const cores = numberList(text(flags, 'cores') ?? '1,2,7', '--cores', { least: 1, most: mostWorkers })
    const most = integer(flags, 'packets', { least: 1, most: 2 ** 31 })
    const rates = text(flags, 'loss')
      ?.split(',')
      .map(rate => share(rate, '--loss'))
    const named = rates ? losing(text(flags, 'strategy')) : strategiesOf(text(flags, 'strategy') ?? 'all')
    const sharing = sharingOf(flags, named)
    const fields = await fieldsOf(flags, named)
    const path = captureOf(flags)
    const compiled = await (fields
      ? shardedBy(fields, file, io)
      : compileProgram(file, io, {
          recovery: rates !== undefined,
          hybrid: named.some(s => s.rebalances),
        }))
    const form =
      sharing && (await inForm(shared, sharing, compiled.artifact, () => Promise.resolve(compiled)))
    const chosen = named.filter(s => s.name !== 'shared' || !form || s === form)
    const { program, artifact } = compiled
    const options = { ...optionsOf(flags, artifact), revisions: changesOf(flags, artifact) }
    const store = loadPackets(
      (memory, workspace) => openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) }),
      most,
    )
    // A proof over no packets would read like one.
    if (store.fault && store.count === 0) throw new Failure(faultText(store.fault), exit.input)
    const json = isSet(flags, 'json')
    const verifyAt = (rate?: number): Promise<Verification> =>
      verify({ program, artifact }, store, {
        ...options,
        strategies: chosen,
        cores,
        threads: isSet(flags, 'threads'),
        ...(rate !== undefined && { loss: lossOf(rate, options.seed ?? 1n) }),
        onCase: done => {
          if (io.terminal && !json) io.err(`\r\x1b[2Kverified ${done.strategy}, ${done.cores} workers`)
        },
      })
    const parts: (Verification & { readonly rate?: number })[] = []
    for (const rate of rates ?? [undefined])
      parts.push({ ...(await verifyAt(rate)), ...(rate !== undefined && { rate }) })
    const found = {
      exact: parts.every(part => part.exact),
      cases: parts.flatMap(({ cases, rate }) =>
        cases.map((c): LossCase => (rate === undefined ? c : { ...c, loss: rate })),
      ),
    }
    if (io.terminal && !json) io.err('\r\x1b[2K')
    const explained = (c: LossCase): LossCase =>
      c.skipped === undefined ? c : { ...c, skipped: refusal(compiled, c.strategy) ?? c.skipped }
    const verification = { ...found, cases: found.cases.map(explained) }
    const workers = isSet(flags, 'threads')
      ? 'threads'
      : `virtual, taking turns by seed ${seedText(flags)}; --threads takes real ones`
    const heading = { program: artifact.name, file, packets: store.count, path, workers }
    const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
    io.out(json ? `${JSON.stringify(verification, plain)}\n` : textOf(verification, heading))
    if (store.fault) {
      io.err(`hairpin verify: ${faultText(store.fault)}\n`)
      return exit.input
    }
    if (verification.cases.every(c => c.skipped !== undefined)) return exit.program
    return verification.exact ? exit.ok : exit.no
  },
}

function strategiesOf(names: string): Strategy[] {
  if (names === 'all') return [...allStrategies]
  // Sharing in every form; verify leaves out those that are not safe for the program.
  return names.split(',').flatMap(name => {
    const found = strategyOf(name)
    return found.name === 'shared' ? allStrategies.filter(s => s.name === 'shared') : [found]
  })
}

/** Those of the strategies that have queues whose frames can be lost; by default all of them. */
function losing(names = 'all'): Strategy[] {
  if (names === 'all') return [...lossyStrategies]
  return names.split(',').map(name => {
    const wanted = strategyOf(name).name
    const found = lossyStrategies.find(s => s.name === wanted)
    if (!found) throw new UsageError(lossRefusal(wanted))
    return found
  })
}

/** A case, and the share of frames that was lost. */
type LossCase = Case & { readonly loss?: number }

interface Heading {
  readonly program: string
  readonly file: string
  readonly packets: number
  readonly path: string
  readonly workers: string
}

function textOf(
  { exact, cases }: { exact: boolean; cases: readonly LossCase[] },
  { program, file, packets, path, workers }: Heading,
): string {
  const ran = cases.filter(c => c.skipped === undefined)
  const refused = new Map(cases.flatMap(c => (c.skipped === undefined ? [] : [[c.strategy, c.skipped]])))
  const broken = ran.filter(c => c.divergent > 0)
  const verdict = exact
    ? `${program}: every strategy ${refused.size ? 'that suits it ' : ''}fulfils its contract on ${grouped(packets)} packets of ${path}`
    : ran.length === 0
      ? `${program}: nothing was verified`
      : `${program}: ${broken.length} of ${ran.length} cases break their contract`
  const parts = [verdict, '']
  if (ran.length)
    parts.push(
      grid([{ title: 'strategy' }, { title: 'workers' }, { title: 'result' }], rowsOf(ran), 2, 100),
      `  workers: ${workers}`,
      '',
    )
  if (refused.size)
    parts.push('not run', ...[...refused].flatMap(([name, why]) => paragraph(`${name}: ${why}`)), '')
  if (ran.length) {
    const contracts = new Map(ran.map(c => [c.strategy, c.contract]))
    parts.push('contracts', ...[...contracts].flatMap(([name, c]) => paragraph(`${name}: ${c}`)), '')
  }
  const packet = broken.find(c => c.first?.packet !== undefined)?.first?.packet
  if (packet !== undefined)
    parts.push(`what the serial run does: hairpin trace ${file} --in ${path} --packet ${packet}`, '')
  return parts.join('\n')
}

/** What is known of a case besides its strategy. */
function formOf({ loss, history, sharing }: LossCase): string {
  if (loss !== undefined) return `, ${lossText(loss)} of frames lost`
  if (sharing) return `, ${sharingText[sharing]}`
  return history ? `, history by ${history}` : ''
}

/** One row for all cases of a strategy that are exact, one for each that is not. */
function rowsOf(cases: readonly LossCase[]): string[][] {
  const names = new Map<string, LossCase[]>()
  for (const c of cases) {
    const name = `${c.strategy}${formOf(c)}`
    names.set(name, [...(names.get(name) ?? []), c])
  }
  return [...names].flatMap(([name, list]) => {
    const exact = list.filter(c => c.divergent === 0).map(c => c.cores)
    const rest = list.filter(c => c.divergent > 0)
    return [
      ...(exact.length ? [[name, rangesText(exact), exactText(list)]] : []),
      ...rest.map(c => [name, String(c.cores), outcome(c)]),
    ]
  })
}

/** `exact`, and under loss what it took. */
function exactText(cases: readonly LossCase[]): string {
  const recoveries = cases.flatMap(({ recovery }) => (recovery ? [recovery] : []))
  const lost = cases.reduce((total, c) => total + (c.lost ?? 0), 0)
  if (recoveries.length === 0)
    return cases[0].lost === undefined ? 'exact' : `exact: ${grouped(lost)} frames lost`
  const sum = (of: (r: (typeof recoveries)[number]) => number): string =>
    grouped(recoveries.reduce((total, r) => total + of(r), 0))
  return (
    `exact: ${sum(r => r.lost)} frames lost, ${sum(r => r.recovered)} items recovered, ` +
    `${sum(r => r.drops.recovering)} packets dropped while recovering`
  )
}

/** A share of frames: `0.01 %`. */
const lossText = (rate: number): string => `${Number((100 * rate).toPrecision(6))} %`

/** 1, 2, 4..7 */
function rangesText(numbers: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const n of numbers.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last && last[1] === n - 1) last[1] = n
    else ranges.push([n, n])
  }
  return ranges
    .flatMap(([a, b]): (string | number)[] => (b - a < 2 ? (a === b ? [a] : [a, b]) : [`${a}..${b}`]))
    .join(', ')
}

function outcome(c: Case): string {
  if (c.divergent === 0) return 'exact'
  const where = c.first?.packet === undefined ? '' : `packet ${c.first.packet}: `
  return `${grouped(c.divergent)} divergent, first ${where}${c.first?.what ?? ''}`
}
