// hairpin bench profile: where a run spends its time, as a flame graph, and how its state lies in memory.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileSource } from '../../lang/source.js'
import { contentionOf } from '../../measure/c2c.js'
import type { Contention } from '../../measure/c2c.js'
import {
  descriptorsPerLine,
  falseSharing,
  objectShapes,
  writtenRegions,
} from '../../measure/memory-layout.js'
import type { ObjectShape } from '../../measure/memory-layout.js'
import { hasPerf, profileNode } from '../../measure/stacks.js'
import type { Profiler, Stacks } from '../../measure/stacks.js'
import { touchedLines } from '../../measure/touched.js'
import type { Touches } from '../../measure/touched.js'
import { standardTrace } from '../../measure/traces.js'
import type { TraceName } from '../../measure/traces.js'
import { plan } from '../../engine/plan.js'
import { flameGraph } from '../../report/flame.js'
import { writePcap } from '../../traffic/pcapfile.js'
import { Failure, UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, onlyArgument, text, texts } from '../flags.js'
import { bytesText, grid, grouped } from '../grid.js'
import { openable, optionsOf, readText, strategyOf } from '../inputs.js'
import { compileProgram } from '../program.js'
import { teller } from './effort.js'
import { programFile, storeOf } from './subjects.js'

export const profilePart = {
  run: profile,
  flags: ['in', 'trace', 'packets', 'strategy', 'cores', 'with', 'set', 'table', 'out'],
}

const main = fileURLToPath(new URL('../main.js', import.meta.url))
/** Packets whose cache lines are counted. */
const looked = 5000

interface Layout {
  readonly shapes: readonly ObjectShape[]
  readonly touches: Touches
  readonly shared: readonly string[]
  readonly itemBytes: number
  readonly contention: Contention
}

async function profile(flags: Flags, io: Io): Promise<number> {
  const file = programFile(onlyArgument(flags, 'PROGRAM'))
  const [strategy = 'single', ...more] = texts(flags, 'strategy')
  if (more.length > 0) throw new UsageError('profile takes one --strategy')
  const chosen = strategyOf(strategy)
  const cores = integer(flags, 'cores', { least: 1, most: 16 }) ?? (chosen.name === 'single' ? 1 : 2)
  const folder = text(flags, 'out') ?? 'hairpin-profile'
  const telling = teller(io)
  const trace = text(flags, 'trace') ?? 'uniform'
  const given = text(flags, 'in')
  if (given !== undefined && text(flags, 'trace') !== undefined)
    throw new UsageError('--in and --trace are two ways to say which packets; give one')
  const compiled = await compileProgram(file, io)
  const { artifact } = compiled
  const planned = plan(artifact, { strategy: chosen, cores, ...optionsOf(flags, artifact) })
  if ('error' in planned) throw new Failure(planned.error, exit.program)

  telling.tell('counting cache lines')
  const { rules, settings } = optionsOf(flags, artifact)
  const { program } = compileSource(file, readText(file, 'program'))
  const store = storeOf(trace, 20_000)
  const touches = touchedLines(
    program!,
    {
      stateLayout: artifact.stateLayout,
      rulesLayout: artifact.rulesLayout,
      seed: 1n,
      ...(rules && { rules }),
      ...(settings && { settings }),
    },
    store,
    looked,
  )
  const regions = writtenRegions(planned, artifact.stateLayout.size, 8 * artifact.counters.length)
  const found: Omit<Layout, 'contention'> = {
    shapes: objectShapes(artifact.stateLayout),
    touches,
    shared: falseSharing(regions),
    itemBytes: artifact.item?.itemBytes ?? 0,
  }

  telling.tell('running under the profiler')
  const scratch = mkdtempSync(join(tmpdir(), 'hairpin-profile-'))
  let stacks: Stacks
  let contention: Contention = { available: false, reason: 'perf was not asked (--with v8)' }
  try {
    const capture = given === undefined ? made(trace, flags, scratch) : openable(given)
    const values = ['set', 'table'].flatMap(name => texts(flags, name).flatMap(v => [`--${name}`, v]))
    const args = [
      main,
      'run',
      file,
      '--in',
      capture,
      '--strategy',
      chosen.name,
      '--cores',
      String(cores),
      ...values,
    ]
    stacks = profileNode(args, profilerOf(flags))
    if (stacks.status === 0 && stacks.profiler === 'perf') {
      telling.tell('looking for lines that cores fight over')
      contention = await contentionOf(args, regions)
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  telling.clear()
  const layout: Layout = { ...found, contention }
  if (stacks.status !== 0)
    throw new Failure(`the run under ${stacks.profiler} failed:\n${stacks.stderr.trim()}`, exit.program)
  const title = `${artifact.name}, ${chosen.name}, ${cores} worker${cores === 1 ? '' : 's'}: ${grouped(stacks.samples)} samples by ${stacks.profiler}`
  const flame = join(folder, `${artifact.name}-${chosen.name}.svg`)
  const folded = join(folder, `${artifact.name}-${chosen.name}.folded`)
  write(flame, flameGraph(stacks.counts, title))
  write(folded, [...stacks.counts].map(([stack, n]) => `${stack} ${n}\n`).join(''))
  if (isSet(flags, 'json')) io.out(`${JSON.stringify(jsonOf(stacks, layout, flame, folded))}\n`)
  else io.out(textOf(artifact.name, stacks, layout, flame, cores))
  return exit.ok
}

function profilerOf(flags: Flags): Profiler {
  const given = text(flags, 'with')
  if (given !== undefined && given !== 'perf' && given !== 'v8')
    throw new UsageError(`--with takes perf or v8, not ${given}`)
  if (given === 'perf' && !hasPerf())
    throw new Failure(
      'perf cannot record here: it is not installed, or kernel.perf_event_paranoid forbids it',
      exit.program,
    )
  return given ?? (hasPerf() ? 'perf' : 'v8')
}

/** A capture of the trace, long enough to be sampled. */
function made(trace: string, flags: Flags, folder: string): string {
  const packets = integer(flags, 'packets', { least: 1000, most: 50_000_000 }) ?? 2_000_000
  const path = join(folder, 'trace.pcap')
  writePcap(path, {
    seed: 1,
    frameLimit: 96,
    ...standardTrace(trace.replaceAll('-', ' ') as TraceName, packets),
    packets,
  })
  return path
}

function write(path: string, content: string): void {
  try {
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, content)
  } catch (error) {
    throw new Failure(`${path}: ${(error as Error).message}`, exit.input)
  }
}

/** Frames by the samples in which they were on top. */
function hottest(counts: ReadonlyMap<string, number>, most: number): [string, number][] {
  const own = new Map<string, number>()
  for (const [stack, n] of counts) {
    const name = stack.slice(stack.lastIndexOf(';') + 1)
    own.set(name, (own.get(name) ?? 0) + n)
  }
  return [...own].toSorted((a, b) => b[1] - a[1]).slice(0, most)
}

function textOf(
  name: string,
  { counts, samples, profiler }: Stacks,
  layout: Layout,
  flame: string,
  cores: number,
): string {
  const share = (n: number): string => `${((100 * n) / samples).toFixed(1)} %`
  const { shapes, touches, shared, itemBytes } = layout
  const objects = shapes.map(s => {
    const t = touches.objects.find(o => o.name === s.name)
    return [
      s.name,
      s.kind,
      grouped(s.entries),
      String(s.stride),
      String(s.padding),
      `${(100 * s.straddling).toFixed(0)} %`,
      s.bucketLines ? s.bucketLines.toFixed(2) : '',
      t ? `${t.lines.toFixed(2)} (≤ ${t.most})` : '',
      t ? t.written.toFixed(2) : '',
      bytesText(s.bytes),
    ]
  })
  const right = (title: string): { title: string; right: boolean } => ({ title, right: true })
  return [
    `${flame}: where ${grouped(samples)} samples by ${profiler} fell`,
    '',
    grid(
      [right('own time'), { title: '' }],
      hottest(counts, 10).map(([frame, n]) => [share(n), frame]),
      2,
      96,
    ),
    '',
    shapes.length === 0
      ? `${name} keeps no state`
      : grid(
          [
            { title: 'state' },
            { title: '' },
            right('entries'),
            right('stride'),
            right('padding'),
            right('in two lines'),
            right('lines/bucket'),
            right('lines/packet'),
            right('written'),
            right('size'),
          ],
          objects,
        ),
    '',
    `  lines of 64 bytes that a packet touches in the mean: ${touches.lines.toFixed(2)} of state, counted on ${grouped(touches.packets)} packets of a trace`,
    `  rings: a descriptor has 32 bytes, so ${descriptorsPerLine} packets share a line, and neighbours of round-robin spraying are different workers';`,
    `  an item has ${itemBytes} bytes, written by the sequencer alone`,
    shared.length
      ? `  written by different workers in one line: ${shared.join('; ')}`
      : `  no line of contexts, progress, counters or state is written by two ${cores === 1 ? 'threads' : 'workers'}`,
    ...contentionText(layout.contention),
    '',
  ].join('\n')
}

/** Loads that hit a line modified in another core's cache, or why nobody counted them. */
function contentionText(found: Contention): string[] {
  if (!found.available)
    return [`  loads that hit lines modified by another core (perf c2c): not counted here: ${found.reason}`]
  const rows = found.lines.map(({ address, region, share, local, remote }) => [
    `${(100 * share).toFixed(1)} %`,
    String(local),
    String(remote),
    `0x${address.toString(16)}`,
    region ?? 'not in the run’s memory',
  ])
  const columns = ['HITM', 'same socket', 'other socket', 'line', 'region']
  return rows.length === 0
    ? ['  loads that hit lines modified by another core (perf c2c): none']
    : [
        '',
        grid(
          columns.map((title, k) => ({ title, right: k < 3 })),
          rows,
        ),
      ]
}

const jsonOf = (stacks: Stacks, layout: Layout, flame: string, folded: string): object => ({
  profiler: stacks.profiler,
  samples: stacks.samples,
  flame,
  folded,
  hottest: hottest(stacks.counts, 20).map(([frame, samples]) => ({ frame, samples })),
  state: layout.shapes.map(s => {
    const { lines = 0, most = 0, written = 0 } = layout.touches.objects.find(o => o.name === s.name) ?? {}
    return { ...s, linesPerPacket: lines, mostLines: most, writtenLines: written }
  }),
  linesPerPacket: layout.touches.lines,
  itemBytes: layout.itemBytes,
  descriptorsPerLine,
  falseSharing: layout.shared,
  contention: layout.contention.available
    ? {
        available: true,
        lines: layout.contention.lines.map(({ address, region, ...line }) => ({
          address: `0x${address.toString(16)}`,
          region: region ?? null,
          ...line,
        })),
      }
    : layout.contention,
})
