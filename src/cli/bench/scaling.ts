// hairpin bench scaling: programs by traces by strategies by workers, projected and measured, and the model beside them.

import { writeFileSync } from 'node:fs'
import { formatEnvironment, readEnvironment } from '../../measure/environment.js'
import { dispatchCost } from '../../measure/dispatch.js'
import { Repetitions } from '../../measure/repetitions.js'
import { predicted } from '../../measure/model.js'
import { traceNames } from '../../measure/traces.js'
import type { BenchmarkRecord } from '../../measure/record.js'
import { modelOf, recordOf, study } from '../../measure/study.js'
import type { ModelFit, Study } from '../../measure/study.js'
import { Failure } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet, text, texts } from '../flags.js'
import { grid } from '../grid.js'
import { strategyOf } from '../inputs.js'
import { amountOf, effortFlags, teller } from './effort.js'
import { idleSubject, paperPrograms, subjectOf, traceNamed } from './subjects.js'

export const scalingPart = {
  run: scaling,
  flags: [...effortFlags, 'trace', 'strategy', 'projected-only', 'set', 'table', 'out'],
}

async function scaling(flags: Flags, io: Io): Promise<number> {
  const amount = amountOf(flags, {
    packets: 200_000,
    rounds: 3,
    processes: 6,
    most: 12,
    workers: '1,2,4,7,14',
  })
  const names = flags.positionals.length ? flags.positionals : paperPrograms
  const traces = texts(flags, 'trace')
  const wanted = texts(flags, 'strategy').map(name => strategyOf(name).name)
  const environment = readEnvironment()
  const telling = teller(io)
  const idle = await idleSubject()
  const json = isSet(flags, 'json')
  if (!json) io.out(`${formatEnvironment(environment)}\n${headline(amount)}\n\n`)
  const studies: (Study & { readonly model: ModelFit | undefined })[] = []
  for (const name of names) {
    const subject = await subjectOf(name, flags, io)
    for (const trace of traces.length ? traces : traceNames) {
      telling.tell(`${subject.name}, ${trace}`)
      const key = { name: traceNamed(trace), packets: amount.packets }
      const repetitions = new Repetitions({ ...amount })
      try {
        const d = await dispatchCost(idle, key, repetitions)
        const found = await study(subject.name, subject, key, {
          ...amount,
          repetitions,
          environment,
          ...(wanted.length > 0 && { strategies: wanted }),
          threads: !isSet(flags, 'projected-only'),
        })
        const model = modelOf(found, d)
        studies.push({ ...found, model })
        telling.clear()
        if (!json) io.out(`${textOf(found, model, amount.workers)}\n`)
      } finally {
        repetitions.close()
      }
    }
  }
  const records = studies.flatMap(s => s.records)
  const result = { records, models: studies.flatMap(modelJson) }
  const out = text(flags, 'out')
  if (out !== undefined) keep(out, result)
  if (json) io.out(`${JSON.stringify(result)}\n`)
  else if (out !== undefined) io.out(`${records.length} records in ${out}\n`)
  return exit.ok
}

function keep(path: string, result: object): void {
  try {
    writeFileSync(path, `${JSON.stringify(result)}\n`)
  } catch (error) {
    throw new Failure(`${path}: ${(error as Error).message}`, exit.input)
  }
}

const headline = ({ packets, rounds, clock, processes, most }: ReturnType<typeof amountOf>): string =>
  `${packets} packets; ${processes === most ? processes : `${processes} to ${most}`} processes, each of ${rounds} rounds or more; Mpps as median of processes [its interval] (lowest–highest), * unstable; projected from ${clock.kind}, the lower quartile of each slab over the rounds`

const modelJson = ({ program, trace, model }: Study & { readonly model: ModelFit | undefined }): object[] =>
  model === undefined
    ? []
    : [
        {
          program,
          trace,
          ...model.parameters,
          fitted: model.fitted,
          judged: model.judged,
          error: model.error,
        },
      ]

/** 12.3 [12.0–12.4] (11.9–12.4): median, its interval, and all samples; with * where it is unstable. */
export function rateText(record: BenchmarkRecord | undefined): string {
  if (record === undefined) return ''
  const { median, min, max, interval } = record.summary
  const digits = median < 10 ? 2 : 1
  const [middle, from, to, low, high] = [median, interval.low, interval.high, min, max].map(n =>
    n.toFixed(digits),
  )
  return `${middle} [${from}–${to}] (${low}–${high})${record.unstable ? '*' : ''}`
}

function textOf(
  { program, trace, records }: Study,
  model: ModelFit | undefined,
  workers: readonly number[],
): string {
  const of = (kind: 'projected' | 'measured'): string[] => [
    ...new Set(records.filter(r => r.parameters.kind === kind).map(r => String(r.parameters.strategy))),
  ]
  const blocks: string[] = []
  for (const sequencer of ['hardware', 'software'] as const) {
    const names = of('projected')
    if (names.length === 0) continue
    const columns = [{ title: 'workers', right: true }, ...names.map(title => ({ title, right: true }))]
    if (model && sequencer === 'hardware') columns.push({ title: 'model', right: true })
    const rows = workers.map(n => [
      String(n),
      ...names.map(strategy =>
        rateText(recordOf(records, { strategy, workers: n, kind: 'projected', sequencer })),
      ),
      ...(model && sequencer === 'hardware' ? [predicted(model.parameters, n).toFixed(1)] : []),
    ])
    const what =
      sequencer === 'hardware' ? 'no sequencer in it, as if hardware did its work' : 'software sequencer'
    blocks.push(`${program}, ${trace}, projected, ${what}:\n${grid(columns, rows)}\n`)
  }
  const threads = of('measured')
  if (threads.length > 0) {
    const counts = workers.filter(n =>
      records.some(r => r.parameters.kind === 'measured' && r.parameters.workers === n),
    )
    const rows = counts.map(n => [
      String(n),
      ...threads.map(strategy =>
        rateText(recordOf(records, { strategy, workers: n, kind: 'measured', sequencer: 'included' })),
      ),
    ])
    const left = workers.filter(n => !counts.includes(n))
    const columns = [{ title: 'workers', right: true }, ...threads.map(title => ({ title, right: true }))]
    blocks.push(
      `${program}, ${trace}, measured, reading from memory and sequencing included:\n${grid(columns, rows)}\n${left.length > 0 ? `${left.join(', ')} workers need ${left.map(n => n + 1).join(', ')} CPUs, one to sequence: not measured here\n` : ''}`,
    )
  }
  if (model) {
    const { t, c2, d, c1 } = model.parameters
    const [tt, c2t, dt, c1t] = [t, c2, d, c1].map(n => n.toFixed(1))
    blocks.push(
      `model (appendix A): t ${tt} ns = d ${dt} + c1 ${c1t}, c2 ${c2t} ns, t/c2 ${(t / c2).toFixed(1)}, from ${model.fitted.join(', ')} workers; ` +
        (model.judged.length
          ? `at ${model.judged.join(', ')} it is off by ${(100 * model.error.mean).toFixed(0)} % in the mean, ${(100 * model.error.most).toFixed(0)} % at most\n`
          : 'not judged on more\n'),
    )
  }
  return blocks.join('\n')
}
