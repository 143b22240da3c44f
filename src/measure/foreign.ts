/**
 * Foreign load: CPU time that others used while we measured.
 *
 * Counted are the user processes that are neither this one nor descend from it, and time stolen by the hypervisor.
 * Kernel threads are not (they may be working for the program under test), so an idle figure for the whole system
 * would not do. Processes of other containers are invisible; where /proc is missing the answer is "cannot tell".
 * The kernel counts in ticks of 10 ms: samples shorter than a few hundred milliseconds cannot be judged one by one.
 */

import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

export interface ProcessTime {
  readonly pid: number
  readonly parent: number
  /** Ticks since boot when it began: tells a process from a later one with the same pid. */
  readonly began: number
  /** CPU ticks used so far, user and system. */
  readonly ticks: number
}

export interface LoadSnapshot {
  readonly processes: ReadonlyMap<number, ProcessTime>
  /** Ticks stolen from all CPUs. */
  readonly stolen: number
}

/** The load now; undefined where it cannot be told. Takes some milliseconds: never inside a measurement. */
export function readLoad(own = process.pid): LoadSnapshot | undefined {
  try {
    const all = new Map<number, ProcessTime>()
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const found = parseStat(readIfThere(`/proc/${name}/stat`))
      if (found) all.set(found.pid, found)
    }
    if (!all.has(own)) return undefined
    const processes = new Map([...all].filter(([pid]) => !descends(all, pid, own)))
    return { processes, stolen: parseStolen(readIfThere('/proc/stat')) }
  } catch {
    return undefined
  }
}

/** CPU seconds that foreign processes used between two snapshots. */
export function foreignSeconds(before: LoadSnapshot, after: LoadSnapshot): number {
  let ticks = after.stolen - before.stolen
  for (const [pid, now] of after.processes) {
    const then = before.processes.get(pid)
    ticks += then?.began === now.began ? now.ticks - then.ticks : now.ticks
  }
  return Math.max(0, ticks) / TICKS_PER_SECOND
}

/** Parses /proc/PID/stat; undefined for kernel threads (no address space) and what does not parse. */
export function parseStat(text: string): ProcessTime | undefined {
  // The name, in parentheses, may hold anything, parentheses included: count from the last one.
  const end = text.lastIndexOf(')')
  const pid = Number.parseInt(text, 10)
  const fields = text.slice(end + 2).split(' ')
  if (end < 0 || !Number.isInteger(pid) || fields.length < 21) return undefined
  const field = (number: number) => Number(fields[number - 3])
  if (field(23) === 0) return undefined
  return { pid, parent: field(4), began: field(22), ticks: field(14) + field(15) }
}

function parseStolen(text: string): number {
  return Number(text.match(/^cpu +(?:\d+ +){7}(\d+)/m)?.[1] ?? 0)
}

function descends(all: ReadonlyMap<number, ProcessTime>, pid: number, ancestor: number): boolean {
  let at: number | undefined = pid
  for (let depth = 0; at !== undefined && depth < 64; depth++) {
    if (at === ancestor) return true
    at = all.get(at)?.parent
  }
  return false
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
