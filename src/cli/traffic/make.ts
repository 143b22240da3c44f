// hairpin traffic make: a capture by a published law of flow sizes.

import { readFileSync } from 'node:fs'
import { openFileTarget } from '../../device/target.js'
import { describeTrace } from '../../traffic/describe.js'
import { laws } from '../../traffic/law.js'
import { FILE_HEADER_BYTES, fillRecords, pcapHeader } from '../../traffic/pcapfile.js'
import { TraceError } from '../../traffic/specification.js'
import type { TraceSpecification } from '../../traffic/specification.js'
import { makeTrace } from '../../traffic/trace.js'
import type { Trace } from '../../traffic/trace.js'
import { Failure, UsageError } from '../command.js'
import type { Flags, FlagTable, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet, text } from '../flags.js'
import { grid } from '../grid.js'
import { progressLine } from '../progress.js'
import { quantityOf } from '../quantity.js'
import { madeText } from './page.js'

/** Fields of a specification that are numbers, as flags. */
const numbers = [
  'flows',
  'packets',
  'seed',
  'active',
  'burst',
  'udp',
  'ipv6',
  'up',
  'resets',
  'segment',
  'payload',
  'frameMinimum',
  'frameLimit',
  'snap',
  'rate',
  'train',
  'duty',
  'start',
  'clients',
  'servers',
  'elephant',
  'knockers',
  'wrongKnocks',
  'flood',
  'floodSources',
] as const
const words = ['law', 'arrival', 'floodKind'] as const

const flagOf = (field: string): string => field.replace(/[A-Z]/g, c => `-${c.toLowerCase()}`)

export const makeFlags = Object.fromEntries(
  [...numbers, ...words].map(field => [flagOf(field), { type: 'string' }]),
) as FlagTable

const bufferBytes = 4 << 20

export async function make(flags: Flags, io: Io): Promise<number> {
  if (text(flags, 'law') === 'list') {
    io.out(`${lawList()}\n`)
    return exit.ok
  }
  const path = text(flags, 'out')
  if (path === undefined && !isSet(flags, 'dry'))
    throw new UsageError('--out FILE is missing; --dry describes the traffic without making it')
  const specification = specificationOf(flags)
  try {
    const trace = makeTrace(specification)
    const bytes = path === undefined ? undefined : await write(trace, path, io)
    const description = describeTrace(specification)
    const print = path === '-' ? io.err : io.out
    const json = { ...description, ...(path !== undefined && { file: path, fileBytes: bytes }) }
    print(
      isSet(flags, 'json')
        ? `${JSON.stringify(json)}\n`
        : madeText(description, path ?? 'not written', bytes),
    )
    return exit.ok
  } catch (error) {
    if (!(error instanceof TraceError)) throw error
    const problems = error.problems.map(inFlags)
    throw new UsageError(
      problems.length === 1 ? problems[0] : `this cannot be made:\n${problems.map(p => `  ${p}`).join('\n')}`,
    )
  }
}

/** A problem with its fields named as flags. */
function inFlags(problem: string): string {
  const [fields, ...rest] = problem.split(':')
  const named = fields.replace(/\w+/g, word => (isField(word) ? `--${flagOf(word)}` : word))
  return [named, ...rest].join(':')
}

const isField = (name: string): boolean => [...numbers, ...words].some(field => field === name)

function specificationOf(flags: Flags): TraceSpecification {
  const file = text(flags, 'specification')
  const from = file === undefined ? {} : readSpecification(file)
  const given: Record<string, string | number> = {}
  for (const field of words) {
    const value = text(flags, flagOf(field))
    if (value !== undefined) given[field] = value
  }
  for (const field of numbers) {
    const value = text(flags, flagOf(field))
    if (value !== undefined) given[field] = quantityOf(value, flagOf(field))
  }
  if (!('law' in given) && !('law' in from))
    throw new UsageError('--law NAME is missing; --law list shows them')
  // What it holds is checked field by field when the trace is made.
  return { ...from, ...given } as unknown as TraceSpecification
}

function readSpecification(file: string): object {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as object
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    throw new Failure(
      `specification ${file}: ${code === 'ENOENT' ? 'there is no such file' : message}`,
      exit.usage,
    )
  }
}

/** Writes the trace; answers the size of the file. */
async function write(trace: Trace, path: string, io: Io): Promise<number> {
  if (path === '-' && process.stdout.isTTY)
    throw new UsageError('a capture is no text for a terminal; pipe it, or name a file')
  const target = openFileTarget(path)
  if (typeof target === 'string') throw new Failure(`${path}: cannot be created: ${target}`, exit.input)
  const progress = progressLine(io, 'making')
  const buffer = new Uint8Array(bufferBytes)
  let bytes = FILE_HEADER_BYTES
  let failed = target.write(pcapHeader(trace.specification.snap))
  while (failed === undefined && !trace.finished) {
    const length = fillRecords(trace, buffer)
    failed = target.write(buffer.subarray(0, length))
    bytes += length
    progress.update(trace.written, trace.written, trace.packets)
    await new Promise(resolve => setImmediate(resolve))
  }
  progress.clear()
  failed ??= target.close()
  if (failed !== undefined) throw new Failure(`${path}: writing failed: ${failed}`, exit.input)
  return bytes
}

const lawList = (): string =>
  grid(
    [{ title: 'law' }, { title: 'where its numbers come from' }],
    Object.values(laws).map(law => [law.name, law.source]),
    2,
    92,
  )
