/**
 * Cache lines that several cores fight over, where the processor counts them: `perf c2c`, which samples loads that hit a line
 * modified in another core's cache (HITM).
 *
 * It needs memory events (mem-loads with a latency on Intel, ibs_op on AMD, SPE on Arm), which virtual machines
 * rarely have; whether they are there is tried, not guessed, and the reason why not is perf's own. Hot lines are told by the
 * region of the run's memory they lie in: where that memory begins is read from the process's map while it runs. Every
 * step has a time limit; reports are bounded, and parsing them never throws.
 */

import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Region } from './memory-layout.js'

export interface HotLine {
  /** Virtual address, and where that is in the run's memory; undefined if it is elsewhere or not known. */
  readonly address: bigint
  readonly region: string | undefined
  /** Share of all HITM loads, 0 to 1. */
  readonly share: number
  /** Loads that hit a modified line of another core of this socket, and of another one. */
  readonly local: number
  readonly remote: number
}

export type Contention =
  | { readonly available: false; readonly reason: string }
  | { readonly available: true; readonly lines: readonly HotLine[] }

/** Milliseconds for a trial, for a recorded run and for its report. */
const limits = { trial: 10_000, run: 120_000, report: 60_000 }
const mostReport = 64 * 2 ** 20
const mostLines = 20
/** V8 reserves so much for a memory, so that no access needs a check. */
const reservation = 2n ** 32n

/** Why `perf c2c` cannot record here; undefined if it can. */
export function whyNoContention(perf = 'perf'): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-c2c-'))
  try {
    const { error, status, stderr } = spawnSync(
      perf,
      ['c2c', 'record', '-o', join(folder, 'data'), '--', 'true'],
      { encoding: 'utf8', timeout: limits.trial, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    if (error)
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'perf is not installed' : error.message
    if (status === 0) return undefined
    const said = stderr.split('\n').find(line => line.trim() !== '')
    return `perf c2c record: ${said?.trim() ?? `it ended with ${status}`}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs `node ARGS…` under perf c2c, if that works here. */
export async function contentionOf(
  args: readonly string[],
  regions: readonly Region[],
  perf = 'perf',
): Promise<Contention> {
  const reason = whyNoContention(perf)
  if (reason !== undefined) return { available: false, reason }
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-c2c-'))
  const data = join(folder, 'data')
  try {
    const child = spawn(perf, ['c2c', 'record', '-o', data, '--', process.execPath, ...args], {
      stdio: 'ignore',
      timeout: limits.run,
    })
    const over = new Promise<number | null>(resolve => {
      child.once('error', () => resolve(null))
      child.once('close', resolve)
    })
    let base: bigint | undefined
    let code: number | null | undefined
    while (code === undefined) {
      base = baseOf(child.pid) ?? base
      code = await Promise.race([over, setTimeout(50, undefined)])
    }
    if (code !== 0) return { available: false, reason: `the run under perf c2c ended with ${code}` }
    const report = spawnSync(perf, ['c2c', 'report', '-i', data, '--stdio'], {
      encoding: 'utf8',
      timeout: limits.report,
      maxBuffer: mostReport,
    })
    if (report.status !== 0)
      return { available: false, reason: `perf c2c report ended with ${report.status}` }
    return { available: true, lines: hotLines(report.stdout, regions, base) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * The lines of the report's `Shared Data Cache Line Table`, hottest first. Columns are found by the dots that underline them and the
 * names above, which stay where numbers and widths change from version to version.
 */
export function hotLines(report: string, regions: readonly Region[], base: bigint | undefined): HotLine[] {
  const all = report.split('\n')
  const table = all.findIndex(line => line.includes('Shared Data Cache Line Table'))
  if (table < 0) return []
  const dots = all.findIndex((line, k) => k > table && /^#\s*\.{3,}/.test(line))
  if (dots < 0) return []
  const columns = [...all[dots].matchAll(/\.+/g)].map(({ index, 0: { length } }) => ({
    from: index,
    to: index + length,
    name: (all[dots - 1] ?? '').slice(index, index + length).trim(),
  }))
  const column = (name: RegExp): number => columns.findIndex(c => name.test(c.name))
  const [address, share, local, remote] = [/^Address$/i, /^Hitm$/i, /^LclHitm$/i, /^RmtHitm$/i].map(column)
  if (address < 0 || share < 0) return []
  const found: HotLine[] = []
  for (const line of all.slice(dots + 1)) {
    if (line.trim() === '' || line.startsWith('=')) break
    if (line.startsWith('#')) continue
    // A number may be wider than its column, so cells are told by the words between them.
    const words = line.trim().split(/\s+/)
    const at = words[address] ?? ''
    const part = /^(\d+(?:\.\d+)?)%$/.exec(words[share] ?? '')
    if (!/^0x[\da-f]{1,16}$/.test(at) || !part) continue
    found.push({
      address: BigInt(at),
      region: regionOf(BigInt(at), regions, base),
      share: Number(part[1]) / 100,
      local: numberIn(words[local]),
      remote: numberIn(words[remote]),
    })
    if (found.length === mostLines) break
  }
  return found
}

const numberIn = (word: string | undefined): number => {
  const n = Number(word)
  return Number.isFinite(n) ? n : 0
}

/** The names of the regions that a line of 64 bytes touches. */
function regionOf(address: bigint, regions: readonly Region[], base: bigint | undefined): string | undefined {
  if (base === undefined || address < base || address >= base + reservation) return undefined
  const at = Number(address - base)
  const [from, to] = [at - (at % 64), at - (at % 64) + 64]
  const names = regions.filter(r => r.at < to && r.at + r.bytes > from).map(r => r.name)
  return names.length > 0 ? names.join(' and ') : `offset ${at} of the run’s memory`
}

/** Where WebAssembly memories of a process begin, the largest first: writable, in front of a reservation without any right. */
export function memoryBases(maps: string): bigint[] {
  const ranges = maps.split('\n').flatMap(line => {
    const found = /^([\da-f]{1,16})-([\da-f]{1,16}) (\S{4})/.exec(line)
    if (!found) return []
    return [{ from: BigInt(`0x${found[1]}`), to: BigInt(`0x${found[2]}`), rights: found[3] }]
  })
  return ranges
    .filter(({ from, to, rights }, k) => {
      const guard = ranges.at(k + 1)
      return (
        rights.startsWith('rw-') &&
        guard?.from === to &&
        guard.rights.startsWith('---') &&
        guard.to - from >= reservation
      )
    })
    .toSorted((a, b) => (b.to - b.from > a.to - a.from ? 1 : -1))
    .map(range => range.from)
}

/** The base of the largest memory of what a process has started. */
function baseOf(pid: number | undefined): bigint | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    return memoryBases(readFileSync(`/proc/${child}/maps`, 'utf8'))[0]
  } catch {
    return undefined
  }
}
