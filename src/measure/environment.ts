/**
 * The environment block: what a reader must know about the machine to doubt a number.
 *
 * Everything is read, nothing is guessed: what cannot be read is null and printed as unknown.
 */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'
import { mitigations } from '../sys/mitigations.js'

export interface Environment {
  readonly cpu: string
  /** Logical CPUs that this process may use, and those of the machine. */
  readonly cores: number
  readonly machineCores: number
  /** Clock in MHz as the system reports it now; 0 where it does not. */
  readonly megahertz: number
  /** Whether a hypervisor is below; its other guests cannot be seen from here. */
  readonly virtual: boolean | null
  /** The frequency governor of the first CPU. */
  readonly governor: string | null
  /** Mitigations of processor flaws that make kernel code slower: `safe-ret, retpoline`; `none`. */
  readonly mitigations: string | null
  /** Bytes of memory. */
  readonly memory: number
  readonly platform: string
  readonly kernel: string
  readonly node: string
  readonly v8: string
  /** Commit of the working tree, with `+` where tracked files differ from it. */
  readonly commit: string | null
  /** When it was read, ISO 8601 UTC. */
  readonly time: string
}

/** Reads the environment. @param folder a folder of the working tree whose commit is meant. */
export function readEnvironment(folder = '.'): Environment {
  const cpus = os.cpus()
  return {
    cpu: cpus[0]?.model.trim() || cpuFromProc() || 'unknown',
    cores: os.availableParallelism(),
    machineCores: cpus.length,
    megahertz: cpus[0]?.speed ?? 0,
    virtual: isVirtual(),
    governor: readText('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
    mitigations: mitigationText(),
    memory: os.totalmem(),
    platform: `${process.platform} ${process.arch}`,
    kernel: os.release(),
    node: process.versions.node,
    v8: process.versions.v8,
    commit: readCommit(folder),
    time: new Date().toISOString(),
  }
}

/** The environment as two lines of text. */
export function formatEnvironment(environment: Environment): string {
  const { cpu, cores, machineCores, megahertz, memory, kernel, platform, node, v8, commit, time } =
    environment
  const clock = megahertz > 0 ? `, ${megahertz} MHz` : ''
  const below = environment.virtual === null ? '' : environment.virtual ? ', virtual machine' : ', bare metal'
  const count = cores === machineCores ? `${cores} CPUs` : `${cores} of ${machineCores} CPUs`
  const governor = environment.governor === null ? 'governor unknown' : `governor ${environment.governor}`
  // Records of earlier versions do not tell.
  const guards = `mitigations ${environment.mitigations ?? 'unknown'}`
  return (
    `${cpu}, ${count}${clock}${below}, ${governor}, ${guards}, ${(memory / 2 ** 30).toFixed(1)} GiB memory\n` +
    `${platform}, kernel ${kernel}, Node ${node}, V8 ${v8}, commit ${commit ?? 'unknown'}, ${time}`
  )
}

/** Whether something from outside is an environment block with its telling fields. */
export function isEnvironment(value: unknown): value is Environment {
  if (value === null || typeof value !== 'object') return false
  const { cpu, cores, kernel, node, v8 } = value as Record<string, unknown>
  const texts = [cpu, kernel, node, v8]
  return (
    typeof cores === 'number' && cores > 0 && texts.every(text => typeof text === 'string' && text !== '')
  )
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return null
  }
}

function mitigationText(): string | null {
  const found = mitigations()
  return found === undefined ? null : found.map(m => m.name).join(', ') || 'none'
}

function cpuFromProc(): string | undefined {
  return readText('/proc/cpuinfo')?.match(/^(?:model name|Model|Hardware)\s*:\s*(.+)$/m)?.[1]
}

function isVirtual(): boolean | null {
  const flags = readText('/proc/cpuinfo')?.match(/^flags\s*:\s*(.+)$/m)?.[1]
  return flags === undefined ? null : flags.split(' ').includes('hypervisor')
}

function readCommit(folder: string): string | null {
  const git = (...words: string[]) =>
    execFileSync('git', ['-C', folder, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  try {
    const commit = git('rev-parse', '--short=12', 'HEAD')
    return git('status', '--porcelain', '--untracked-files=no') === '' ? commit : `${commit}+`
  } catch {
    return null
  }
}
