// hairpin bench figures: the paper's figures on this machine, as SVG, CSV and one HTML report.

import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { isSlice } from '../../analysis/slice.js'
import { identityOf } from '../../measure/difference.js'
import { readEnvironment } from '../../measure/environment.js'
import type { CostSubject } from '../../measure/veth-cost.js'
import { csvOf, stabilityOf } from '../../report/figure.js'
import type { Figure } from '../../report/figure.js'
import { figures } from '../../report/figures/all.js'
import { reportHtml } from '../../report/html.js'
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
import { idleProgram, idleSubject, programFile } from './subjects.js'

export const figuresPart = { run: make, flags: [...effortFlags, 'quick', 'only', 'out'] }

const quickly = { packets: 40_000, rounds: 3, workers: '1,2,4,7,14' }
const fully = { packets: 200_000, rounds: 9, workers: '1,2,3,4,5,6,7,10,14' }

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
  const amount = amountOf(flags, isSet(flags, 'quick') ? quickly : fully)
  const folder = text(flags, 'out') ?? 'hairpin-figures'
  const environment = readEnvironment()
  const telling = teller(io)
  let part = ''
  const bench = new Workbench({
    ...amount,
    environment,
    cpus: availableParallelism(),
    compile: (name, options) => reported(name, io, options?.recovery === true),
    idle: idleSubject,
    kernel: name => forKernel(name, io),
    tell: what => telling.tell(`${part}: ${what}`),
  })
  const began = performance.now()
  const made: Figure[] = []
  for (const name of names) {
    part = name
    telling.tell(name)
    const figure = await figures[name](bench)
    telling.clear()
    made.push(figure)
    keep(folder, figure)
    if (!isSet(flags, 'json'))
      io.out(
        `${figure.title}\n${grid(
          [{ title: '' }, { title: '' }],
          figure.claims.map(c => [c.holds, c.paper]),
          2,
          98,
        )}\n\n`,
      )
  }
  const seconds = (performance.now() - began) / 1000
  const command = [
    'hairpin bench figures',
    ...(isSet(flags, 'quick') ? ['--quick'] : []),
    ...chosen.map(n => `--only ${n}`),
  ].join(' ')
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
        `${amount.packets} packets a trace, ${amount.rounds} repetitions, workers ${amount.workers.join(', ')}, ${seconds.toFixed(0)} s in all`,
      ],
      figures: made,
    }),
  )
  if (isSet(flags, 'json')) io.out(`${JSON.stringify(jsonOf(report, seconds, made))}\n`)
  else io.out(`${report}, made in ${seconds.toFixed(0)} s; SVG and CSV of each figure beside it\n`)
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
