// Which CPU a worker gets, and what else runs there: interrupts, other tasks, and packets that the kernel steers to it.
//
// Answers come from /proc and /sys; what cannot be read is not warned about.

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { onlineCpus } from '../../sys/cpus.js'

/** Milliseconds over which CPUs are watched. */
const watched = 200
/** Parts of a CPU, and interrupts a second, from which it counts as busy. */
const busyShare = 0.1
const busyInterrupts = 500

interface Sample {
  /** Ticks by CPU: in all, idle, in interrupts. */
  readonly ticks: ReadonlyMap<number, readonly [all: number, idle: number]>
  readonly interrupts: ReadonlyMap<number, number>
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Reads /proc/stat. */
export function readTicks(text: string): Map<number, readonly [all: number, idle: number]> {
  const found = new Map<number, readonly [number, number]>()
  for (const [, cpu, numbers] of text.matchAll(/^cpu(\d+) (.*)$/gm)) {
    const n = numbers.trim().split(/\s+/).slice(0, 8).map(Number)
    found.set(Number(cpu), [n.reduce((a, b) => a + b, 0), n[3] + (n[4] ?? 0)])
  }
  return found
}

/** Reads /proc/interrupts: device interrupts of each CPU; those of the machine itself (timers, calls) are left out. */
export function readInterrupts(text: string): Map<number, number> {
  const [head = '', ...lines] = text.split('\n')
  const cpus = [...head.matchAll(/CPU(\d+)/g)].map(([, n]) => Number(n))
  const found = new Map(cpus.map(cpu => [cpu, 0]))
  for (const line of lines) {
    const match = /^\s*\d+:\s+(.*)$/.exec(line)
    if (!match) continue
    const numbers = match[1].split(/\s+/)
    cpus.forEach((cpu, k) => found.set(cpu, found.get(cpu)! + (Number(numbers[k]) || 0)))
  }
  return found
}

const sample = (): Sample => ({
  ticks: readTicks(read('/proc/stat')),
  interrupts: readInterrupts(read('/proc/interrupts')),
})

/** CPUs by how much they did over a moment, the idlest first, with what is worth a warning. */
export interface CpuLoad {
  readonly cpu: number
  /** 0 to 1. */
  readonly busy: number
  /** A second. */
  readonly interrupts: number
}

/** Watches all CPUs for a moment. */
export async function cpuLoads(): Promise<CpuLoad[]> {
  const before = sample()
  await pause(watched)
  const after = sample()
  return onlineCpus()
    .map(cpu => {
      const [[all, idle], [allNow, idleNow]] = [
        before.ticks.get(cpu) ?? [0, 0],
        after.ticks.get(cpu) ?? [0, 0],
      ]
      const total = allNow - all
      const interrupts = (after.interrupts.get(cpu) ?? 0) - (before.interrupts.get(cpu) ?? 0)
      return {
        cpu,
        busy: total > 0 ? 1 - (idleNow - idle) / total : 0,
        interrupts: (1000 * interrupts) / watched,
      }
    })
    .toSorted((a, b) => a.busy - b.busy || a.cpu - b.cpu)
}

/** What else goes on on a worker's CPU, one sentence each. */
export function cpuWarnings(load: CpuLoad | undefined, cpu: number, device: string): string[] {
  const found: string[] = []
  if (load && load.busy > busyShare)
    found.push(`CPU ${cpu} is ${Math.round(100 * load.busy)} % busy with other things; --cpu picks another`)
  if (load && load.interrupts > busyInterrupts)
    found.push(
      `CPU ${cpu} gets ${Math.round(load.interrupts)} device interrupts a second; /proc/irq/*/smp_affinity_list moves them`,
    )
  const steered = steeredQueues(device, cpu)
  if (steered.length > 0)
    found.push(
      `the kernel hands packets of ${device} queue ${steered.join(', ')} to CPU ${cpu} (RPS or RFS); ` +
        `/sys/class/net/${device}/queues/rx-*/rps_cpus and rps_flow_cnt turn that off`,
    )
  return found
}

/** Queues whose packets RPS, or RFS by way of its flow table, hands to a CPU. */
function steeredQueues(device: string, cpu: number): number[] {
  const folder = `/sys/class/net/${device}/queues`
  let names: string[] = []
  try {
    names = readdirSync(folder).filter(name => name.startsWith('rx-'))
  } catch {
    return []
  }
  return names
    .filter(name => {
      const mask = BigInt(`0x${read(`${folder}/${name}/rps_cpus`).trim().replaceAll(',', '') || '0'}`)
      return ((mask >> BigInt(cpu)) & 1n) === 1n || Number(read(`${folder}/${name}/rps_flow_cnt`)) > 0
    })
    .map(name => Number(name.slice(3)))
}
