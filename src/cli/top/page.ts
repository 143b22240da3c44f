// What top shows, as lines for a given width: pure, so that tests can read it without a kernel or a terminal.

import type { Occupancy } from '../../engine/kernel/reading.js'
import { recoveryLines } from '../recovery.js'
import { grouped } from '../grid.js'
import { styles } from '../screen.js'
import type { Styles } from '../screen.js'
import { duration, heading, labelWidth, migrationsText, perSecond, row } from './page-parts.js'
import type { PageOptions } from './page-parts.js'
import { runLines } from './run-lines.js'
import { changesOf, rate, timePerRun } from './sample.js'
import type { Change, DeviceSample, Sample } from './sample.js'

/** CPUs that are shown of each program before the rest is summed up. */
const mostCpus = 16

export function pageOf(now: Sample, before: Sample | undefined, options: PageOptions): string[] {
  const style = styles(options.colour)
  const head = `hairpin top  ${options.clock}  every ${options.interval} s`
  const title = options.keys
    ? `${style.bold(head)}${' '.repeat(Math.max(2, options.columns - head.length - options.keys.length))}${style.dim(options.keys)}`
    : style.bold(head)
  const changes = changesOf(now, before)
  if (changes.length + now.runs.length === 0)
    return [title, '', 'no program of hairpin is loaded; hairpin attach PROGRAM IF attaches one']
  const note = options.time
    ? [
        '',
        style.dim(
          'statistics are on: they cost every BPF run on this machine 45 ns, of which 21 show in ns/packet',
        ),
      ]
    : []
  return [
    title,
    ...changes.flatMap(c => ['', ...programLines(c, now, before, options, style)]),
    ...now.runs.flatMap(r => ['', ...runLines(r, options, style)]),
    ...note,
  ]
}

function programLines(
  change: Change,
  now: Sample,
  before: Sample | undefined,
  { columns, time }: PageOptions,
  style: Styles,
): string[] {
  const { name, devices, elsewhere, pins, age, programId, figures } = change.now
  const where = [
    ...devices.map(d => `${d.name} ${d.mode}`),
    ...(elsewhere > 0 ? [`${elsewhere} in other namespaces`] : []),
  ].join(', ')
  const facts = [
    `program ${programId}`,
    `up ${duration(age)}`,
    ...(pins.length ? [`pinned as ${pins.join(', ')}`] : []),
  ]
  const packets = rate(figures.packets, change.before?.figures.packets, change.seconds)
  const each = time ? timePerRun(change) : undefined
  const summary = [
    `${grouped(figures.packets)} packets`,
    ...(packets === undefined ? [] : [`${perSecond(packets)}/s`]),
    ...(time ? [each === undefined ? '- ns/packet' : `${each.toFixed(1)} ns/packet`] : []),
  ]
  return [
    `${style.bold(name)} on ${where || '(nothing)'}  ${style.dim(facts.join(', '))}`,
    `  ${summary.join('  ')}`,
    ...verdictLines(change, columns, style),
    ...cpuLines(change, columns, style),
    ...replicatedLines(change, packets, style),
    ...(change.now.rebalancing ? [style.dim(`  ${migrationsText(change.now.rebalancing)}`)] : []),
    ...tableLines(change, columns, style),
    ...counterLines(change, columns, style),
    ...devices.flatMap(d => deviceLine(now.devices.get(d.name), before?.devices.get(d.name), change.seconds)),
  ]
}

function verdictLines(change: Change, columns: number, style: Styles): string[] {
  const { figures } = change.now
  const lines = [...figures.verdicts].map(([name, n]) => {
    const each = rate(n, change.before?.figures.verdicts.get(name), change.seconds)
    const share = figures.packets === 0n ? 0 : Number(n) / Number(figures.packets)
    return { name, n, text: row(name, grouped(n), each === undefined ? '' : perSecond(each), share, columns) }
  })
  // A program of ours that does not come to a verdict is rare enough to be shouted about, and else to be left out.
  const shown = lines.filter(l => l.name !== 'aborted' || l.n > 0n)
  return [
    heading('verdict', columns, style),
    ...shown.map(l => (l.name === 'aborted' ? style.red(l.text) : l.text)),
  ]
}

function cpuLines(change: Change, columns: number, style: Styles): string[] {
  const { figures, hasWorkers = change.now.replicated !== undefined } = change.now
  const { byCpu, packets } = figures
  const busy = byCpu
    .map((n, cpu) => ({ cpu, n, each: rate(n, change.before?.figures.byCpu[cpu], change.seconds) }))
    .filter(c => c.n > 0n)
  if (busy.length === 0) return []
  const shown = busy.toSorted((a, b) => Number(b.n - a.n)).slice(0, mostCpus)
  const rates = busy.map(c => c.each ?? 0)
  const mean = rates.reduce((a, b) => a + b, 0) / rates.length
  const skew =
    busy.length > 1 && mean > 0 ? `, busiest ${(Math.max(...rates) / mean).toFixed(2)} × the mean` : ''
  const rest = busy.length - shown.length
  return [
    heading(hasWorkers ? 'worker' : 'cpu', columns, style),
    ...shown
      .toSorted((a, b) => a.cpu - b.cpu)
      .map(({ cpu, n, each }) =>
        row(
          String(cpu),
          grouped(n),
          each === undefined ? '' : perSecond(each),
          Number(n) / Number(packets),
          columns,
        ),
      ),
    ...(rest > 0 || skew
      ? [
          style.dim(
            `  ${busy.length} ${hasWorkers ? 'workers' : 'CPUs'}${skew}${rest > 0 ? `; ${rest} less busy ones are not shown` : ''}`,
          ),
        ]
      : []),
  ]
}

/** What the history costs, and workers that stopped. */
function replicatedLines({ now }: Change, packets: number | undefined, style: Styles): string[] {
  if (!now.replicated) return []
  const { headerBytes, stopped, recovery } = now.replicated
  const cost = packets === undefined ? '' : `, ${perSecond(packets * headerBytes)} B/s`
  return [
    style.dim(`  history: ${headerBytes} bytes in front of each packet${cost}`),
    ...recoveryLines(recovery).map(line => style.dim(`  ${line}`)),
    ...stopped.map(k => style.red(`  worker ${k} stopped: frames to it were lost`)),
  ]
}

function tableLines(change: Change, columns: number, style: Styles): string[] {
  const { tables } = change.now
  if (tables.length === 0) return []
  const head = heading('table', columns, style, ['entries', 'of', 'full'])
  return [head, ...tables.flatMap(t => tableLine(t, change, columns, style))]
}

function tableLine(table: Occupancy, change: Change, columns: number, style: Styles): string[] {
  const { name, count, capacity } = table
  const line = row(name, grouped(count), grouped(capacity), count / capacity, columns)
  const earlier = change.before?.tables.find(t => t.name === name)
  const events = eventsOf(table).filter(([, n]) => n > 0)
  const since = (event: string): number => eventsOf(earlier).find(([e]) => e === event)?.[1] ?? 0
  const told = events.map(([event, n]) => {
    const each = rate(BigInt(n), earlier && BigInt(since(event)), change.seconds)
    return `${grouped(n)} ${event}${each ? ` (${perSecond(each)}/s)` : ''}`
  })
  const refused = events.some(([event]) => event === 'failures' || event === 'exhausted')
  return [
    refused ? style.yellow(line) : line,
    ...(told.length
      ? [style[refused ? 'yellow' : 'dim'](`  ${' '.repeat(labelWidth)} ${told.join(', ')}`)]
      : []),
    ...(refused && table.kind === 'table'
      ? [
          style.yellow(
            `  ${' '.repeat(labelWidth)} updates are lost: give ${name} a larger capacity, evict or expire`,
          ),
        ]
      : []),
  ]
}

const eventsOf = (table: Occupancy | undefined): [string, number][] =>
  table === undefined
    ? []
    : table.kind === 'pool'
      ? [
          ['exhausted', table.exhausted],
          ['rejected', table.rejected],
        ]
      : [
          ['failures', table.failures],
          ['evictions', table.evictions],
          ['expiries', table.expiries],
        ]

function counterLines(change: Change, columns: number, style: Styles): string[] {
  const { counters } = change.now.figures
  if (counters.size === 0) return []
  return [
    heading('counter', columns, style, ['total', 'per second']),
    ...[...counters].map(([name, n]) => {
      const each = rate(n, change.before?.figures.counters.get(name), change.seconds)
      return row(name, grouped(n), each === undefined ? '' : perSecond(each), undefined, columns)
    }),
  ]
}

/** What the device and its driver count: packets in and out, and what they lost. */
function deviceLine(
  now: DeviceSample | undefined,
  before: DeviceSample | undefined,
  seconds: number,
): string[] {
  if (!now) return []
  const each = (name: 'receivedPackets' | 'sentPackets'): string => {
    const r = rate(BigInt(now.counters[name]), before && BigInt(before.counters[name]), seconds)
    return r === undefined ? grouped(now.counters[name]) : `${perSecond(r)}/s`
  }
  const losses: [string, number | bigint | undefined][] = [
    ['transmit without room', now.driver.transmitLost],
    ['lost by the driver', now.driver.lost],
    ['dropped on receipt', now.counters.receiveDropped],
    ['errors', now.counters.receiveErrors + now.counters.sendErrors],
  ]
  const told = losses
    .filter(([, n]) => n !== undefined && n > 0)
    .map(([what, n]) => `, ${grouped(n!)} ${what}`)
  return [`  ${now.name}: received ${each('receivedPackets')}, sent ${each('sentPackets')}${told.join('')}`]
}
