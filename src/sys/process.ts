// Processes of this machine: an identity that survives the reuse of numbers, and who holds a BPF object.

import { readdirSync, readFileSync } from 'node:fs'

/** A process: its number, and its start in clock ticks since boot, which tells it from a later one of that number. */
export interface ProcessIdentity {
  readonly pid: number
  readonly start: number
}

/** This process. */
export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, start: startOf(process.pid) ?? 0 }
}

/** Whether this very process still runs. */
export function isAlive({ pid, start }: ProcessIdentity): boolean {
  return startOf(pid) === start
}

/** Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses. */
function startOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state === 'Z' || state === 'X' ? undefined : Number(fields[18])
}

/** A process that has descriptors of BPF objects open. */
export interface Holder {
  readonly pid: number
  /** First word of its command line. */
  readonly command: string
}

/** Processes that hold a descriptor of the object; those of other users are seen by root only. */
export function holders(kind: 'prog' | 'map' | 'link' | 'btf', id: number): Holder[] {
  const line = new RegExp(`^${kind}_id:\\s*${id}$`, 'm')
  return numbers('/proc')
    .filter(pid =>
      numbers(`/proc/${pid}/fdinfo`).some(fd => line.test(read(`/proc/${pid}/fdinfo/${fd}`) ?? '')),
    )
    .map(pid => ({ pid, command: read(`/proc/${pid}/comm`)?.trim() ?? '' }))
}

function numbers(folder: string): number[] {
  try {
    return readdirSync(folder).flatMap(name => (/^\d+$/.test(name) ? [Number(name)] : []))
  } catch {
    return []
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
