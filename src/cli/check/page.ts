// The page that check prints for people.

import { bytesText, grid, grouped, labelled, paragraph } from '../grid.js'
import type { CheckReport } from './report.js'
import type { Limits } from './limits.js'
import type { Obstacle } from './metadata.js'
import type { Capacity, DescribedSharding, DescribedSharing } from './spreading.js'
import type { DescribedField, DescribedObject } from './state.js'

export function checkPage(report: CheckReport): string {
  const { program, file, state, rules, parameters, counters, limits } = report
  const licence = report.licence === undefined ? '' : `, ${report.licence}`
  const parts: string[][] = [[`${program} (${file})${licence}`]]
  if (parameters.length)
    parts.push([
      'parameters, set by --set NAME=VALUE',
      grid(
        [{ title: '' }, { title: '' }, { title: '', right: true }, { title: '' }],
        parameters.map(p => [p.name, p.type, p.default, p.description ?? '']),
      ),
    ])
  const sum = state.reduce((n, o) => n + o.bytes, 0)
  if (state.length)
    parts.push([
      'state, a copy for every replica or shard',
      ...state.flatMap(objectLines),
      ...(state.length > 1 ? [`  together ${bytesExactly(sum)}`] : []),
    ])
  else parts.push(['state: none; any strategy runs it, and no two workers can disagree'])
  if (rules.length)
    parts.push(['rule tables, one copy for all workers, filled by --table', ...rules.flatMap(objectLines)])
  if (counters.length)
    parts.push([
      'counters',
      grid(
        [{ title: '' }, { title: '' }],
        counters.map(c => [c.name, c.description ?? '']),
      ),
    ])
  parts.push(replicationLines(report), shardingLines(report), sharingLines(report))
  parts.push(['memory for state, rules and rings', ...limitLines(limits)])
  return `${parts.map(p => p.join('\n')).join('\n\n')}\n`
}

function replicationLines({ metadata, obstacle, capacity, file }: CheckReport): string[] {
  if (!metadata) return ['replication: not possible', ...(obstacle ? obstacleLines(obstacle, file) : [])]
  const { bytes, bits, headerBits, fields } = metadata
  if (fields.length === 0) return ['replication: nothing to carry; no state depends on what a packet holds']
  const header = `${headerBits} header ${headerBits === 1 ? 'bit' : 'bits'} a packet`
  return [
    `replication: items of ${bytes} bytes (${bits} of ${8 * bytes} bits used), and ${header}`,
    grid(
      [
        { title: 'field' },
        { title: 'bits', right: true },
        { title: 'line', right: true },
        { title: 'needed for' },
      ],
      fields.map(f => [f.name, String(f.bits), String(f.line ?? ''), f.reason]),
      2,
      pageWidth,
    ),
    ...(capacity ? capacityLines(capacity) : []),
  ]
}

function capacityLines({ workers, formula, assumptions, xdp }: Capacity): string[] {
  const fits = Object.entries(workers).map(([frame, n]) => `${n} in ${frame} bytes`)
  return [
    `  workers that a packet's history serves: ${fits.join(', ')}`,
    ...paragraph(`by ${unbroken(formula)}`, 4, pageWidth),
    ...paragraph(
      `taken for granted: the sequencer is not on the NIC, ${assumptions.original} bytes of headers stay of ` +
        `the original packet, and no more than the ${assumptions.mostWorkers} workers of the paper's testbed`,
      4,
      pageWidth,
    ),
    `  workers that a sequencer in XDP serves: ${xdp.workers}`,
    ...paragraph(`by ${unbroken(xdp.formula)}`, 4, pageWidth),
    ...paragraph(
      `taken for granted: the history goes into the headroom, and from CPU to CPU of one machine; a packet grows by ` +
        `${xdp.growth} bytes, so a device that carries full frames with it needs an MTU of ${xdp.mtu}`,
      4,
      pageWidth,
    ),
  ]
}

/** A sum that is only broken between its terms. */
const unbroken = (sum: string): string =>
  sum
    .split(' + ')
    .map(term => term.replaceAll(' ', '\u00a0'))
    .join(' + ')

function shardingLines({ sharding, file, state }: CheckReport): string[] {
  const { possible, fields, symmetric, excluded } = sharding
  if (state.length === 0) return ['sharding: packets may go to any worker']
  if (!possible) return ['sharding: not possible', ...obstacleLines(sharding as Obstacle, file)]
  const hash = symmetric ? '; the hash must be symmetric, for both directions share state' : ''
  return [
    ...paragraph(`sharding: by ${fields.join(', ')}${hash}`, 0, pageWidth),
    ...excludedLines(excluded, file),
  ]
}

/** Fields that may not be used, those with the same reason together. */
function excludedLines(excluded: DescribedSharding['excluded'], file: string): string[] {
  const groups = new Map<string, string[]>()
  for (const e of excluded) {
    const why = placed(e, file).replace(`${e.field} is `, '')
    groups.set(why, [...(groups.get(why) ?? []), e.field])
  }
  return [...groups].flatMap(([why, names]) => paragraph(`not by ${names.join(', ')}: ${why}`, 2, pageWidth))
}

/** A reason with its line. */
const placed = ({ reason, line }: Obstacle, file: string): string =>
  line === undefined ? reason : `${reason} (${file}:${line})`

const needs: Readonly<Record<DescribedSharing['kind'], string>> = {
  none: 'nothing to share',
  atomics: 'atomic additions are enough',
  'key-lock': 'one lock for each key',
  'program-lock': 'one lock for the whole program',
}

function sharingLines({ sharing, file }: CheckReport): string[] {
  const { kind, objects, obstacle } = sharing
  const of = objects.length ? `, of ${objects.join(', ')}` : ''
  const less = kind === 'key-lock' ? 'no atomics: ' : 'no lock for each key: '
  return [
    `sharing: ${needs[kind]}${of}`,
    ...(obstacle ? paragraph(less + placed(obstacle, file), 2, pageWidth) : []),
  ]
}

/** The place, the line, and what is wrong with it. */
function obstacleLines({ reason, line, column, text, notes }: Obstacle, file: string): string[] {
  return [
    ...(line === undefined ? [] : [`  ${file}:${line}:${column}`]),
    ...(text === undefined ? [] : [`      ${text}`]),
    ...paragraph(reason, 2, pageWidth, 0),
    ...(notes ?? []).flatMap(note => obstacleLines(note, file)),
  ]
}

const bytesExactly = (n: number): string =>
  n < 1024 ? `${n} bytes` : `${grouped(n)} bytes (${bytesText(n)})`

const nouns: Readonly<Record<DescribedObject['kind'], string>> = {
  table: 'table of {n} entries',
  array: 'array of {n} elements',
  cell: 'cell',
  pool: 'pool of {n} numbers',
  rules: 'exact match, {n} entries',
  lpm: 'longest-prefix match, {n} entries',
  devices: '{n} devices',
  fib: 'routes; in the kernel its own (ip route, ip neigh), in user space {n} of --table',
}

function objectLines(o: DescribedObject): string[] {
  const place = o.line === undefined ? '' : ` (line ${o.line})`
  const manners = [
    o.evict && (o.evict === 'oldest' ? 'gives up the oldest when full' : 'refuses new keys when full'),
    o.expire && `expires after ${timeText(o.expire.after, o.expire.unit)}`,
    o.release && `gives ${o.release.field} back to ${o.release.pool}`,
  ].filter(s => s !== undefined)
  const rest = o.bytes - o.places * o.entryBytes
  const trie = o.kind === 'lpm' || o.kind === 'fib' ? ', and the trie of the rules' : ''
  const size =
    o.kind === 'cell' || o.kind === 'pool'
      ? bytesExactly(o.bytes)
      : `${grouped(o.places)} places × ${o.entryBytes} bytes + ${rest} = ${bytesExactly(o.bytes)}${trie}`
  return [
    `  ${o.name}: ${nouns[o.kind].replace('{n}', grouped(o.capacity))}${place}`,
    ...(o.key.length ? row('key', fieldsText(o.key)) : []),
    ...(o.value.length && o.kind !== 'pool' ? row('value', fieldsText(o.value)) : []),
    ...(manners.length ? row('full', manners.join('; ')) : []),
    ...row('size', size),
  ]
}

const row = (label: string, text: string): string[] => labelled(label, text, 4, 12, pageWidth)

const pageWidth = 92

const fieldsText = (fields: readonly DescribedField[]): string =>
  fields.map(f => (fields.length === 1 ? f.type : `${f.name} ${f.type}`)).join(', ')

/** 300,000 ms as 300 s: the largest unit that gives a whole number of more than one. */
function timeText(n: number, unit: string): string {
  const steps: readonly [string, number][] = [
    ['ns', 1000],
    ['us', 1000],
    ['ms', 1000],
    ['s', 60],
    ['min', 60],
    ['h', 24],
    ['days', 1],
  ]
  let value = n
  let at = steps.findIndex(([name]) => name === unit)
  while (at < steps.length - 1 && value % steps[at][1] === 0 && value / steps[at][1] > 1)
    value /= steps[at++][1]
  return `${grouped(value)} ${steps[at][0]}`
}

const shownWorkers = [1, 2, 4, 8, 16]

function limitLines({ wasm, kernel }: Limits): string[] {
  const sizes = Object.values(wasm.workers)
  const most = sizes.filter(bytes => bytes !== null).length
  const cell = (n: number): string => {
    const bytes = wasm.workers[n]
    return bytes === null ? 'too large' : bytesText(bytes)
  }
  const table = grid(
    [
      { title: 'workers' },
      ...shownWorkers.map(n => ({ title: String(n), right: true })),
      { title: 'limit', right: true },
    ],
    [
      ['WebAssembly, all workers', ...shownWorkers.map(cell), bytesText(wasm.limit)],
      ['kernel, each worker', ...shownWorkers.map(() => bytesText(kernel.state)), bytesText(kernel.limit)],
    ],
  )
  const problems = [
    most < sizes.length &&
      `  One WebAssembly memory holds ${most === 0 ? 'not even one worker' : `at most ${most} workers`}; use a smaller capacity for more.`,
    !kernel.fits && '  The kernel takes no offset beyond its limit; use a smaller capacity.',
  ].filter(s => s !== false)
  return [table, ...problems]
}
