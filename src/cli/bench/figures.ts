// hairpin bench figures: the paper's figures on this machine, as SVG, CSV and one HTML report.

import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { isSlice } from '../../analysis/slice.js'
import { identityOf } from '../../measure/difference.js'
import { readEnvironment } from '../../measure/environment.js'
import { Repetitions } from '../../measure/repetitions.js'
import { SpareTime } from '../../measure/spare-time.js'
import type { CostSubject } from '../../measure/veth-cost.js'
import { csvOf, stabilityOf } from '../../report/figure.js'
import type { Figure } from '../../report/figure.js'
import { figures } from '../../report/figures/all.js'
import { repeated } from '../../report/figures/scaling.js'
import { reportHtml } from '../../report/html.js'
import { minutesText, plannedSeconds } from '../../report/plan.js'
import { drawChart } from '../../report/svg.js'
import { Workbench } from '../../report/workbench.js'
import type { ReportedProgram } from '../../report/workbench.js'
import { Failure, UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet, text, texts } from '../flags.js'
import { grid } from '../grid.js'
import { hint } from '../nearest.js'
import { compileProgram } from '../program.js'
import { amountOf, effortFlags, teller } from './effort.js'
import { openParts } from './parts.js'
import { idleProgram, idleSubject, programFile } from './subjects.js'

export const figuresPart = { run: make, flags: [...effortFlags, 'quick', 'only', 'out', 'resume'] }

/** A part of the figures may take so many times as long as planned, to make sure of its records. */
const mostTimes = 2

/** What the plan leaves of `minutes` goes to records that are still uncertain. */
const quickly = { packets: 100_000, rounds: 3, processes: 5, most: 24, workers: '1,2,4,7,14', minutes: 7 }
const fully = {
  packets: 300_000,
  rounds: 5,
  processes: 6,
  most: 24,
  workers: '1,2,3,4,5,6,7,10,14',
  minutes: 55,
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)

async function make(flags: Flags, io: Io): Promise<number> {
  if (flags.positionals.length > 0)
    throw new UsageError(`figures takes flags only, not ${flags.positionals[0]}`)
  const chosen = texts(flags, 'only')
  for (const name of chosen)
    if (!Object.hasOwn(figures, name))
      throw new UsageError(
        `--only takes ${Object.keys(figures).join(', ')}, not ${name}.${hint(name, Object.keys(figures))}`,
      )
  const names = Object.keys(figures).filter(name => chosen.length === 0 || chosen.includes(name))
  const standard = isSet(flags, 'quick') ? quickly : fully
  const amount = amountOf(flags, standard)
  const folder = text(flags, 'out') ?? 'hairpin-figures'
  const environment = readEnvironment()
  const telling = teller(io)
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  const planned = plannedSeconds(names, amount)
  const limit = Math.min(60 * standard.minutes, mostTimes * sum(planned))
  const spare = new SpareTime(limit, sum(planned))
  const repetitions = new Repetitions({ ...amount, spare, signal: stop.signal })
  const { packets, workers, rounds, processes } = amount
  const { commit, cpu, cores } = environment
  const parts = openParts(
    folder,
    { packets, workers, rounds, processes, commit, cpu, cores },
    isSet(flags, 'resume'),
  )
  let part = ''
  let left = ''
  const bench = new Workbench({
    ...amount,
    repetitions,
    environment,
    cpus: availableParallelism(),
    compile: (name, options) => reported(name, io, options?.recovery === true),
    idle: idleSubject,
    kernel: name => forKernel(name, io),
    tell: what => telling.tell(`${part}: ${what}`, left),
    parts,
  })
  if (!isSet(flags, 'json'))
    io.out(
      `figures: ${names.length}; ${repeated(repetitions)}; ${minutesText(sum(planned))} where nobody disturbs them\n\n`,
    )
  const began = performance.now()
  const made: Figure[] = []
  /** Planned seconds of figures that an earlier run has made. */
  let before = 0
  try {
    for (const [k, name] of names.entries()) {
      part = name
      const kept = parts.get(`figure ${name}`) as Figure | undefined
      // What is left takes as much longer than planned as what is done did.
      const [done, ahead] = [sum(planned.slice(0, k)) - before, sum(planned.slice(k))]
      const pace = done > 0 ? (performance.now() - began) / 1000 / done : 1
      left = minutesText(ahead * pace)
      telling.tell(name, left)
      if (kept) {
        before += planned[k]
        spare.done(planned[k])
      }
      const figure = kept ?? (await figures[name](bench).finally(() => repetitions.close()))
      telling.clear()
      if (stop.signal.aborted) throw new Error('interrupted')
      parts.set(`figure ${name}`, figure)
      made.push(figure)
      keep(folder, figure)
      if (!isSet(flags, 'json'))
        io.out(
          `${figure.title}${kept ? ' (made before)' : ''}\n${grid(
            [{ title: '' }, { title: '' }],
            figure.claims.map(c => [c.holds, c.paper]),
            2,
            98,
          )}\n\n`,
        )
    }
  } catch (error) {
    telling.clear()
    if (!stop.signal.aborted) throw error
    throw new Failure(
      `interrupted; what is finished is in ${folder}, and the same command with --resume goes on`,
      exit.interrupted,
    )
  } finally {
    repetitions.close()
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt)
  }
  const seconds = (performance.now() - began) / 1000
  const command = [
    'hairpin bench figures',
    ...(isSet(flags, 'quick') ? ['--quick'] : []),
    ...effortFlags.flatMap(name => {
      const value = text(flags, name)
      return value === undefined ? [] : [`--${name} ${value}`]
    }),
    ...chosen.map(n => `--only ${n}`),
  ].join(' ')
  parts.clear()
  const report = join(folder, 'report.html')
  const records = new Map(made.flatMap(f => f.records).map(r => [identityOf(r), r]))
  if (records.size > 0) write(join(folder, 'records.json'), `${JSON.stringify([...records.values()])}\n`)
  write(
    report,
    reportHtml({
      environment,
      command,
      clock: amount.clock.kind,
      settings: [
        `${amount.packets} packets a trace, ${repeated(repetitions)}, workers ${amount.workers.join(', ')}, ${seconds.toFixed(0)} s in all`,
      ],
      figures: made,
    }),
  )
  if (isSet(flags, 'json')) io.out(`${JSON.stringify(jsonOf(report, seconds, made))}\n`)
  else {
    const unstable = [...records.values()].filter(r => r.unstable).length
    const steady = records.size > 0 ? `${unstable} of ${records.size} records are unstable\n` : ''
    io.out(`${steady}${report}, made in ${seconds.toFixed(0)} s; SVG and CSV of each figure beside it\n`)
  }
  return exit.ok
}

/** A program as the kernel takes it, with its own settings. */
async function forKernel(name: string, io: Io): Promise<CostSubject> {
  const program = name === 'idle' ? await idleProgram() : await compileProgram(programFile(name), io)
  return { program, options: { settings: new Map(), seed: 1n } }
}

/** A bundled program with what tables say of it. */
async function reported(name: string, io: Io, recovery: boolean): Promise<ReportedProgram> {
  const file = programFile(name)
  const { artifact, slice, sharding, program } = await compileProgram(file, io, {
    hybrid: true,
    ...(recovery && { recovery }),
  })
  const code = program.source.replaceAll(/\/\*[^]*?\*\//g, '').split('\n')
  return {
    name,
    artifact,
    fields: sharding.possible
      ? `${sharding.fields.join(', ')}${sharding.symmetric ? ' (symmetric)' : ''}`
      : 'cannot be sharded',
    sharing: artifact.sharing.forms[0] ?? 'none',
    metadataBytes: isSlice(slice) ? slice.item.bytes : 0,
    lines: code.filter(line => !/^\s*(\/\/.*)?$/.test(line)).length,
  }
}

function keep(folder: string, figure: Figure): void {
  figure.charts.forEach((chart, k) => {
    const name = figure.charts.length === 1 ? figure.id : `${figure.id}${letter(k)}`
    write(join(folder, `${name}.svg`), `${drawChart(chart)}\n`)
  })
  write(join(folder, `${figure.id}.csv`), csvOf(figure))
}

const letter = (k: number): string => `-${String(k + 1).padStart(2, '0')}`

function write(path: string, content: string): void {
  try {
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, content)
  } catch (error) {
    throw new Failure(`${path}: ${(error as Error).message}`, exit.input)
  }
}

const jsonOf = (report: string, seconds: number, made: readonly Figure[]): object => ({
  report,
  seconds,
  figures: made.map(figure => {
    const { id, title, charts, claims } = figure
    return {
      id,
      title,
      charts: charts.length,
      claims,
      ...stabilityOf(figure),
    }
  }),
})
