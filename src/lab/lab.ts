// Labs: throw-away topologies of namespaces and veth pairs on one machine.
//
// `up` makes what a description says, `down` removes it; so do the end of the process, Ctrl-C, and, after a crash, the
// next `up` of anybody. A lab lives in namespaces of its own with names that tell whose they are, and touches nothing
// else. Needs root and iproute2. Read description.ts first.

import { spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { setOffloads } from '../sys/ethtool.js'
import { Unsupported } from '../sys/failure.js'
import { machine } from '../sys/machine.js'
import { findInterface, interfaces } from '../sys/interfaces.js'
import type { NetworkInterface } from '../sys/interfaces.js'
import { inNamespace, namespacePath } from '../sys/namespace.js'
import { namePattern, problemsOf } from './description.js'
import type { LabDescription } from './description.js'
import { atEnd } from './end.js'
import { ip, processesIn, tryIp } from './ip.js'
import { foundNamespaces, keptName, ownedName, staleNamespaces } from './name.js'
import { attachFixed } from './fixed.js'
import { setupOf } from './setup.js'

/** How a command in a lab ended. */
export interface CommandResult {
  /** Exit status; null if a signal or the time limit ended it. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** Milliseconds after which the command is killed; 30000 if absent. */
  readonly timeout?: number
  /** What it reads from standard input; nothing if absent. */
  readonly input?: string
}

export interface UpOptions {
  /** A name under which the lab stays until somebody takes it down (`openLab`); it goes with the process if absent. */
  readonly keep?: string
}

/** A topology that is up. */
export class Lab {
  /** Its name on the machine. */
  readonly name: string
  /** Names of its namespaces. */
  readonly namespaces: readonly string[]
  readonly #children = new Set<ChildProcess>()
  readonly #forget: () => void
  #up = true

  /** Use `up` or `openLab`. */
  constructor(name: string, namespaces: readonly string[], kept: boolean) {
    this.name = name
    this.namespaces = namespaces
    this.#forget = kept ? () => {} : atEnd(() => this.down())
  }

  /** The namespace's name for `ip netns`. */
  fullName(namespace: string): string {
    if (!this.namespaces.includes(namespace))
      throw new RangeError(`lab ${this.name} has no namespace ${namespace}`)
    return `${this.name}-${namespace}`
  }

  /** The namespace's file, for `enterNamespace` in a worker thread. */
  path(namespace: string): string {
    return namespacePath(this.fullName(namespace))
  }

  /** Runs a synchronous function with the calling thread in the namespace. */
  inNamespace<T>(namespace: string, action: () => T): T {
    return inNamespace(this.path(namespace), action)
  }

  /** A device of the lab, as it is now. */
  interface(namespace: string, device: string): NetworkInterface {
    const found = this.inNamespace(namespace, () => findInterface(device))
    if (found === undefined) throw new RangeError(`lab ${this.name}: ${namespace} has no device ${device}`)
    return found
  }

  /** Starts a command in the namespace; it is killed when the lab goes down. */
  start(namespace: string, command: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.fullName(namespace), ...command], options)
    this.#children.add(child)
    child.once('close', () => this.#children.delete(child))
    return child
  }

  /** Runs a command in the namespace to its end. */
  async run(namespace: string, command: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const child = this.start(namespace, command, {
      timeout: options.timeout ?? 30_000,
      killSignal: 'SIGKILL',
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input ?? '')
    const [stdout, stderr] = [child.stdout, child.stderr].map(stream => {
      const chunks: Buffer[] = []
      stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
      return chunks
    })
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    return { status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
  }

  /** Ends its processes and removes its devices and namespaces. Harmless when repeated; never throws. */
  down(): void {
    if (!this.#up) return
    this.#up = false
    this.#forget()
    for (const child of this.#children) child.kill('SIGKILL')
    remove(this.namespaces.map(name => `${this.name}-${name}`))
  }
}

/** Makes a lab. Throws a RangeError for a description with problems and `Unsupported` where labs cannot be. */
export function up(description: LabDescription, { keep }: UpOptions = {}): Lab {
  const problems = problemsOf(description)
  if (keep !== undefined && !namePattern.test(keep))
    problems.push(`'${keep}' is no name of a lab: lower-case letters and digits, at most 21`)
  if (problems.length > 0) throw new RangeError(problems.join('\n'))
  requireLabs()
  sweep()
  const name = keep === undefined ? ownedName() : keptName(keep)
  if (foundNamespaces().some(found => found.lab === name)) throw new RangeError(`lab ${keep} is up already`)
  const lab = new Lab(name, Object.keys(description.namespaces), keep !== undefined)
  try {
    make(description, lab)
    return lab
  } catch (error) {
    lab.down()
    throw error
  }
}

function make(description: LabDescription, lab: Lab): void {
  const setup = setupOf(description, name => lab.fullName(name))
  ip(setup.namespaces)
  for (const [namespace, path, value] of setup.settings)
    lab.inNamespace(namespace, () => writeSetting(path, value))
  ip(setup.devices)
  for (const step of [setup.addresses, setup.routes])
    for (const [namespace, lines] of step) ip(lines, lab.fullName(namespace))
  for (const { namespace, device } of setup.withoutOffloads)
    lab.inNamespace(namespace, () => setOffloads(device, { sendChecksum: false, segmentation: false }))
  for (const { namespace, device, xdp } of setup.fixed)
    lab.inNamespace(namespace, () => attachFixed(device, xdp!))
}

function writeSetting(path: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/${path}`, value)
  } catch (error) {
    // A kernel without IPv6 has no settings for it.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Throws `Unsupported` unless labs can be made here. */
export function requireLabs(): void {
  if (process.platform !== 'linux') throw new Unsupported('labs', 'Linux', process.platform)
  if (process.geteuid?.() !== 0)
    throw new Unsupported('labs', 'root', `user ${process.geteuid?.()}`, 'run it with sudo')
  const { capabilities } = machine()
  const missing = (['CAP_SYS_ADMIN', 'CAP_NET_ADMIN'] as const).filter(name => !capabilities.includes(name))
  if (missing.length > 0)
    throw new Unsupported(
      'labs',
      'root with CAP_SYS_ADMIN and CAP_NET_ADMIN',
      `root without ${missing.join(' and ')}`,
    )
}

/** A lab that was made to stay; undefined if there is none of that name. */
export function openLab(keep: string): Lab | undefined {
  const name = keptName(keep)
  const namespaces = foundNamespaces().filter(found => found.lab === name)
  return namespaces.length === 0
    ? undefined
    : new Lab(
        name,
        namespaces.map(found => found.name),
        true,
      )
}

/** Removes what labs of processes that are gone have left behind; gives the names of those labs. */
export function sweep(): string[] {
  const stale = staleNamespaces()
  remove(stale.map(({ full }) => full))
  return [...new Set(stale.map(({ lab }) => lab))]
}

/** Removes namespaces of labs with the processes and devices in them; never throws. */
function remove(namespaces: readonly string[]): void {
  const present = new Set(foundNamespaces().map(({ full }) => full))
  const ours = namespaces.filter(name => present.has(name))
  for (const name of ours) {
    for (const pid of processesIn(name)) if (pid !== process.pid) kill(pid)
    // Devices go at once this way; a namespace that is deleted drops them some time later.
    const devices = vethsIn(name)
    if (devices.length > 0)
      tryIp(
        devices.map(device => `link delete dev ${device}`),
        name,
      )
  }
  if (ours.length > 0) tryIp(ours.map(name => `netns delete ${name}`))
}

function vethsIn(namespace: string): string[] {
  try {
    const all = inNamespace(namespacePath(namespace), interfaces)
    return all.filter(({ kind }) => kind === 'veth').map(({ name }) => name)
  } catch {
    // It went away meanwhile, or was never finished.
    return []
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
