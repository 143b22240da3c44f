// CPUs of this machine: which can exist, which are online, and on which the calling thread may run.

import { readFileSync } from 'node:fs'
import { kernel } from './kernel.js'
import { checked } from './failure.js'

let possible: number | undefined

/** Number of CPUs that can ever be online, by which per-CPU values are laid out. */
export function possibleCpus(): number {
  return (possible ??= Math.max(...cpuList(readFileSync('/sys/devices/system/cpu/possible', 'utf8'))) + 1)
}

/** CPUs that are online now. */
export function onlineCpus(): number[] {
  return cpuList(readFileSync('/sys/devices/system/cpu/online', 'utf8'))
}

/** Reads the kernel's notation for sets of CPUs: `0-3,8,10-11`. */
export function cpuList(text: string): number[] {
  return text
    .trim()
    .split(',')
    .filter(part => part !== '')
    .flatMap(part => {
      const [first, last = first] = part.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, k) => first + k)
    })
}

/** Lets the calling thread, and no other, run only on these CPUs. */
export function pinThread(cpus: readonly number[]): void {
  const mask = new Uint8Array(new ArrayBuffer(roundUp(Math.max(...cpus) + 1, 64) / 8))
  for (const cpu of cpus) mask[cpu >> 3] |= 1 << (cpu & 7)
  checked(kernel().setAffinity(mask), 'sched_setaffinity')
}

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to
