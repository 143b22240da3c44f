/**
 * What a trace shall be: a plain JSON object, every field but `law` optional, checked before anything is made.
 *
 * `resolveTrace` returns the same object with all defaults filled in, or throws one `TraceError` that lists every
 * problem by field name. The rest of `traffic/` takes resolved specifications only and checks nothing again.
 */

import type { Arrival } from './arrivals.js'
import { evenly, laws } from './law.js'
import type { Law, LawPart } from './law.js'
import type { Point } from './tables.js'

/** A law by name (`laws` in law.ts), or one written out. */
export type LawChoice =
  | string
  | { readonly unit: 'bytes' | 'packets'; readonly uniform: readonly [low: number, high: number] }
  | { readonly unit: 'bytes' | 'packets'; readonly points: readonly Point[] }

export interface TraceSpecification {
  /** How large flows are: a name, `{unit, uniform: [low, high]}` or `{unit, points: [[share, size], …]}`. */
  readonly law: LawChoice
  /** Number of flows. Without it: as many as `packets` holds at the law's mean size. */
  readonly flows?: number
  /** Number of packets, exact; sizes are scaled to meet it. Without it: what the flows need. */
  readonly packets?: number
  /** 0..2^53-1; the same specification and seed give the same bytes. */
  readonly seed?: number
  /** Flows under way at the same time (fewer at the very end). */
  readonly active?: number
  /** Mean number of packets that one flow sends before another gets its turn. */
  readonly burst?: number
  /** Share of the flows that are UDP; the law's own mix without it. */
  readonly udp?: number
  /** Share of the flows that are IPv6. */
  readonly ipv6?: number
  /** Share of the data packets that the client sends. */
  readonly up?: number
  /** Share of the TCP flows that end with RST in place of FIN. */
  readonly resets?: number
  /** Largest TCP or UDP payload in bytes; 8,900 gives jumbo frames. */
  readonly segment?: number
  /** Payload bytes of a data packet where the law counts packets. */
  readonly payload?: number
  /** Frames are at least this long (padded with zeros), without FCS. */
  readonly frameMinimum?: number
  /** Frames are at most this long: payloads are shortened, and lengths, sequence numbers and checksums agree. */
  readonly frameLimit?: number
  /** Bytes kept of each frame, as by a capture's snap length; the original length is recorded. 0 keeps all. */
  readonly snap?: number
  /** Packets per second on average. */
  readonly rate?: number
  /** Gaps between packets: all equal, exponential, or trains with silence between them (arrivals.ts). */
  readonly arrival?: Arrival
  /** Of `onoff`: packets of a train in the mean, and the share of the time that trains take. */
  readonly train?: number
  readonly duty?: number
  /** Time of the first packet, seconds since 1970, for capture files. */
  readonly start?: number
  /** Client addresses in use. */
  readonly clients?: number
  /** Server addresses in use. */
  readonly servers?: number
  /** Share of the packets that one more TCP flow carries; 0 for none. */
  readonly elephant?: number
  /** Sources that knock on TCP ports 7001, 7002, 7003 and then connect to port 22. */
  readonly knockers?: number
  /** Share of the knockers that knock in a wrong order and are refused. */
  readonly wrongKnocks?: number
  /** Share of the packets that are an attack on one server, from `floodSources` addresses. These flows never end. */
  readonly flood?: number
  readonly floodKind?: 'syn' | 'udp'
  readonly floodSources?: number
}

export type ResolvedTrace = Required<Omit<TraceSpecification, 'law' | 'flows' | 'packets' | 'udp'>> & {
  readonly law: Law
  /** 0 when not given; one of `flows` and `packets` is. */
  readonly flows: number
  readonly packets: number
}

/** A specification that cannot be met; `problems` has one line for each reason. */
export class TraceError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`trace specification: ${problems.join('; ')}`)
    this.name = 'TraceError'
    this.problems = problems
  }
}

type NumberField = Exclude<keyof ResolvedTrace, 'law' | 'arrival' | 'floodKind'>

/** Default, least, most, and whether only integers are meant. */
const numbers: Record<
  NumberField,
  readonly [fallback: number, least: number, most: number, integer: boolean]
> = {
  flows: [0, 1, 50_000_000, true],
  packets: [0, 1, 1e12, true],
  seed: [1, 0, Number.MAX_SAFE_INTEGER, true],
  active: [256, 1, 4_194_304, true],
  burst: [1, 1, 1e6, false],
  ipv6: [0, 0, 1, false],
  up: [0.2, 0, 1, false],
  resets: [0.05, 0, 1, false],
  segment: [1460, 1, 8940, true],
  payload: [1460, 1, 8940, true],
  frameMinimum: [64, 54, 1514, true],
  frameLimit: [9014, 64, 9014, true],
  snap: [0, 0, 65_535, true],
  rate: [1e6, 1e-3, 1e9, false],
  train: [64, 1, 1e6, false],
  duty: [0.2, 1e-3, 1, false],
  start: [1_700_000_000, 0, 4_294_000_000, false],
  clients: [4096, 1, 1_048_576, true],
  servers: [256, 1, 65_536, true],
  elephant: [0, 0, 0.999, false],
  knockers: [0, 0, 1_000_000, true],
  wrongKnocks: [0.5, 0, 1, false],
  flood: [0, 0, 0.999, false],
  floodSources: [65_536, 1, 16_777_216, true],
}

const choices = { arrival: ['constant', 'poisson', 'onoff'], floodKind: ['syn', 'udp'] } as const

function resolvePoints(points: unknown, problems: string[]): readonly Point[] {
  const bad = (why: string) => problems.push(`law.points: ${why}`)
  if (!Array.isArray(points) || points.length === 0) {
    bad('expected a list of [share, size]')
    return [[1, 1]]
  }
  let share = -1
  let size = -1
  for (const [index, point] of points.entries()) {
    const [p, x] = Array.isArray(point) ? point : []
    if (!Number.isFinite(p) || !Number.isFinite(x) || x < 0 || p < 0)
      bad(`entry ${index} is no [share, size]`)
    else if (p <= share || x < size) bad(`entry ${index} does not ascend`)
    share = p
    size = x
  }
  if (share !== 1) bad('the last share must be 1')
  return points
}

function resolveLaw(choice: unknown, problems: string[]): Law {
  if (typeof choice === 'string') {
    if (Object.hasOwn(laws, choice)) return laws[choice]
    problems.push(`law: '${choice}' is none of ${Object.keys(laws).join(', ')}`)
    return laws['web-search']
  }
  const { unit, uniform, points } = (choice ?? {}) as { unit?: unknown; uniform?: unknown; points?: unknown }
  if (unit !== 'bytes' && unit !== 'packets') problems.push(`law.unit: expected 'bytes' or 'packets'`)
  const sized = unit === 'bytes' ? 'bytes' : 'packets'
  if (uniform !== undefined) {
    const [low, high] = Array.isArray(uniform) ? uniform : []
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || low < 1 || low > high || high > 1e9) {
      problems.push('law.uniform: expected [low, high], integers with 1 <= low <= high <= 1e9')
    }
    return { name: 'uniform', source: 'uniform by specification', parts: [evenly('tcp', sized, low, high)] }
  }
  const part: LawPart = { protocol: 'tcp', unit: sized, weight: 1, points: resolvePoints(points, problems) }
  return { name: 'table', source: 'points by specification', parts: [part] }
}

function reweighted(parts: readonly LawPart[], share: number): LawPart[] {
  const total = parts.reduce((sum, part) => sum + part.weight, 0)
  return parts.map(part => ({ ...part, weight: (part.weight / total) * share }))
}

/** The law with `udp` of its flows UDP: its own parts reweighted, or its TCP sizes used for UDP too. */
function withUdpShare(law: Law, udp: number): Law {
  const tcpParts = law.parts.filter(part => part.protocol === 'tcp')
  const own = law.parts.filter(part => part.protocol === 'udp')
  const udpParts = own.length > 0 ? own : tcpParts.map(part => ({ ...part, protocol: 'udp' as const }))
  const parts = [...reweighted(tcpParts, 1 - udp), ...reweighted(udpParts, udp)]
  return { ...law, parts: parts.filter(part => part.weight > 0) }
}

/** Checks a specification (from JSON, so nothing about it is believed) and fills in the defaults. */
export function resolveTrace(specification: TraceSpecification): ResolvedTrace {
  if (specification === null || typeof specification !== 'object')
    throw new TraceError(['expected an object'])
  const given = specification as unknown as Record<string, unknown>
  const problems: string[] = []
  const known = new Set<string>([...Object.keys(numbers), ...Object.keys(choices), 'law', 'udp'])
  for (const name of Object.keys(given)) if (!known.has(name)) problems.push(`${name}: no such field`)
  let law = resolveLaw(given.law, problems)

  const resolved: Record<string, unknown> = {}
  const number = (name: string, least: number, most: number, integer: boolean, fallback: number) => {
    const value = given[name]
    if (value === undefined) return fallback
    const fits = typeof value === 'number' && value >= least && value <= most
    if (fits && (!integer || Number.isSafeInteger(value))) return value
    problems.push(
      `${name}: ${JSON.stringify(value)} is no ${integer ? 'integer' : 'number'} from ${least} to ${most}`,
    )
    return fallback
  }
  for (const [name, [fallback, least, most, integer]] of Object.entries(numbers)) {
    resolved[name] = number(name, least, most, integer, fallback)
  }
  for (const [name, allowed] of Object.entries(choices)) {
    const value = given[name] ?? allowed[0]
    if (!(allowed as readonly unknown[]).includes(value)) {
      problems.push(`${name}: ${JSON.stringify(value)} is none of ${allowed.join(', ')}`)
    }
    resolved[name] = value
  }
  const udp = number('udp', 0, 1, false, -1)
  if (udp >= 0) law = withUdpShare(law, udp)
  if (given.flows === undefined && given.packets === undefined && law.name !== 'single')
    problems.push('flows or packets: give at least one')
  if (law.name === 'single') {
    if (given.flows !== undefined && given.flows !== 1) problems.push(`flows: the law 'single' means one`)
    resolved.flows = 1
  }
  if ((resolved.elephant as number) + (resolved.flood as number) >= 1)
    problems.push('elephant and flood: 1 or more')
  const minimum = resolved.frameMinimum as number
  if (minimum > (resolved.frameLimit as number)) problems.push('frameMinimum: larger than frameLimit')
  if ((resolved.ipv6 as number) > 0 && (resolved.frameLimit as number) < 84) {
    problems.push('frameLimit: an IPv6 SYN needs 84 bytes')
  }
  if (problems.length > 0) throw new TraceError(problems)
  resolved.payload = Math.min(resolved.payload as number, resolved.segment as number)
  return { ...resolved, law } as ResolvedTrace
}
