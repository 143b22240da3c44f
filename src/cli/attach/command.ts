// hairpin attach: a program on an interface, in the kernel. README.md beside this file is the help.

import { writeFileSync } from 'node:fs'
import { figuresOf } from '../../engine/kernel/figures.js'
import type { Figures } from '../../engine/kernel/figures.js'
import { isPinned, pinProgram, preparePins } from '../../engine/kernel/attached.js'
import { StackExceeded, load } from '../../engine/kernel/load.js'
import type { LoadOptions, LoadedProgram, Loadable } from '../../engine/kernel/load.js'
import { possibleCpus } from '../../sys/cpus.js'
import { channels } from '../../sys/ethtool.js'
import { programInfo } from '../../sys/info.js'
import { findInterface, interfaces } from '../../sys/interfaces.js'
import { VerifierRejection } from '../../sys/program.js'
import { summarise, summaryText } from '../../sys/verifier-log.js'
import type { LineEntry } from '../../sys/verifier-log.js'
import { attachXdp } from '../../sys/xdp.js'
import type { Attachment } from '../../sys/xdp.js'
import { Failure, UsageError } from '../command.js'
import type { Command, Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet, text } from '../flags.js'
import { grouped } from '../grid.js'
import { optionsOf } from '../inputs.js'
import { pinName, withKernel } from '../kernel.js'
import { hint } from '../nearest.js'
import { compileProgram } from '../program.js'

const modes = ['auto', 'native', 'generic'] as const
type Mode = (typeof modes)[number]

export const command: Command = {
  name: 'attach',
  flags: {
    mode: { type: 'string', short: 'm' },
    pin: { type: 'string' },
    set: { type: 'string', multiple: true },
    table: { type: 'string', multiple: true },
    seed: { type: 'string' },
    'dry-run': { type: 'boolean' },
    'verifier-log': { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(flags, io) {
    const dry = isSet(flags, 'dry-run')
    const { file, device } = argumentsOf(flags, dry)
    const mode = modeOf(flags)
    const name = text(flags, 'pin')
    const pin = name === undefined ? undefined : pinName(name)
    if (dry && pin !== undefined) throw new UsageError('--dry-run attaches nothing that --pin could keep')
    const compiled = await compileProgram(file, io)
    const { settings, rules, seed = 1n } = optionsOf(flags, compiled.artifact)
    const options: LoadOptions = { settings: settings ?? new Map(), seed, ...(rules && { rules }) }
    return withKernel(() => {
      if (device !== undefined && !dry) checkDevice(device, compiled.artifact.stateLayout.objects.length > 0)
      if (pin !== undefined) {
        preparePins()
        if (isPinned(pin))
          throw new Failure(
            `${pin} is pinned already; see hairpin list, and hairpin detach ${pin}`,
            exit.program,
          )
      }
      const loaded = verified(compiled, options, text(flags, 'verifier-log'))
      if (dry) return report(loaded, compiled.artifact.name, isSet(flags, 'json'), io)
      return attach(loaded, compiled, device!, mode, pin, isSet(flags, 'json'), io)
    })
  },
}

function argumentsOf({ positionals }: Flags, dry: boolean): { file: string; device: string | undefined } {
  const [file, device, more] = positionals
  if (file === undefined) throw new UsageError('PROGRAM is missing')
  if (more !== undefined) throw new UsageError(`one PROGRAM and one IF are expected, and ${more} is neither`)
  if (device === undefined && !dry)
    throw new UsageError('IF is missing: the interface to attach to; there is no default')
  return { file, device }
}

function modeOf(flags: Flags): Mode {
  const given = text(flags, 'mode') ?? 'auto'
  const mode = modes.find(m => m === given)
  if (mode) return mode
  throw new UsageError(`--mode takes ${modes.join(', ')}, not ${given}.${hint(given, [...modes])}`)
}

/** The interface is there, and packets come to the one state one after the other. */
function checkDevice(name: string, stateful: boolean): void {
  const device = findInterface(name)
  if (!device) {
    const names = interfaces().map(i => i.name)
    throw new Failure(
      `there is no interface ${name} in this namespace; there are ${names.join(', ')}.${hint(name, names)}`,
      exit.program,
    )
  }
  const inUse = channels(name)
  const queues = inUse ? inUse.receive + inUse.combined : device.receiveQueues
  if (stateful && queues > 1)
    throw new Failure(
      `${name} has ${queues} receive queues, on which CPUs would change the state at the same time; ` +
        `strategy single needs one queue: ethtool -L ${name} ${inUse && inUse.combined > 0 ? 'combined' : 'rx'} 1`,
      exit.program,
    )
}

/** Loads it; a refusal of the verifier is told in the lines that matter. */
function verified(compiled: Loadable, options: LoadOptions, log: string | undefined): LoadedProgram {
  let lines: readonly LineEntry[] = []
  const keep = (text: string): void => {
    if (log !== undefined) writeLog(log, text)
  }
  try {
    const loaded = load(compiled, { ...options, verboseLog: log !== undefined }, found => (lines = found))
    keep(loaded.program.log)
    return loaded
  } catch (error) {
    if (error instanceof StackExceeded) throw new Failure(error.message, exit.program)
    if (!(error instanceof VerifierRejection)) throw error
    keep(error.log)
    const rest = log === undefined ? 'the whole log: --verifier-log FILE' : `the whole log is in ${log}`
    const summary = summaryText(summarise(error.log, lines)).replaceAll('\n', '\n  ')
    throw new Failure(
      `the kernel's verifier refuses ${compiled.artifact.name}:\n  ${summary}\n${rest}`,
      exit.program,
    )
  }
}

function writeLog(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch (error) {
    throw new Failure(`${path}: cannot be written: ${(error as Error).message}`, exit.input)
  }
}

/** What --dry-run says. */
function report(loaded: LoadedProgram, name: string, json: boolean, io: Io): number {
  const { jitedBytes, verifiedInstructions } = programInfo(loaded.program)
  const figures = { instructions: loaded.slots, verified: verifiedInstructions, nativeBytes: jitedBytes }
  loaded.close()
  if (json) io.out(`${JSON.stringify({ event: 'verified', program: name, ...figures })}\n`)
  else
    io.out(
      `${name}: the kernel's verifier accepts it: ${grouped(figures.instructions)} instructions, ` +
        `${grouped(figures.verified)} walked, ${grouped(jitedBytes)} bytes of native code. Nothing was attached.\n`,
    )
  return exit.ok
}

function attach(
  loaded: LoadedProgram,
  { artifact }: Loadable,
  device: string,
  mode: Mode,
  pin: string | undefined,
  json: boolean,
  io: Io,
): Promise<number> | number {
  let attachment: Attachment | undefined
  try {
    attachment = attachXdp(loaded.program, device, mode)
    if (pin !== undefined) pinProgram(pin, loaded, attachment)
  } catch (error) {
    attachment?.detach()
    loaded.close()
    throw error
  }
  const { id } = programInfo(loaded.program)
  if (json)
    io.out(
      `${JSON.stringify({
        event: 'attached',
        program: artifact.name,
        interface: device,
        mode: attachment.mode,
        by: attachment.link ? 'link' : 'netlink',
        programId: id,
        ...(pin !== undefined && { pin }),
        ...(attachment.refusal && { refusal: attachment.refusal.message }),
      })}\n`,
    )
  else {
    io.out(`${artifact.name} on ${device}: ${attachment.mode} mode, program ${id}\n`)
    if (attachment.refusal) io.err(`not native: ${attachment.refusal.message}\n`)
    if (pin !== undefined) io.out(`pinned as ${pin}; take it off with hairpin detach ${pin}\n`)
  }
  if (pin === undefined) return foreground(loaded, artifact.counters, attachment, json, io)
  // The pins hold it from here on; closing the link's descriptor does not detach.
  attachment.link?.close()
  loaded.close()
  return exit.ok
}

/** Stays until Ctrl-C, or until somebody takes the program off. */
function foreground(
  loaded: LoadedProgram,
  counters: readonly { readonly name: string }[],
  attachment: Attachment,
  json: boolean,
  io: Io,
): Promise<number> {
  const names = counters.map(c => c.name)
  const read = (): Figures => figuresOf(loaded.maps, names, possibleCpus())
  const { id } = programInfo(loaded.program)
  const print = (event: string, before?: Figures): Figures => {
    const now = read()
    if (json) io.out(`${JSON.stringify({ event, ...jsonOf(now) })}\n`)
    else if (event === 'ended' || io.terminal) io.out(`${lineOf(now, before)}\n`)
    return now
  }
  let last = read()
  return new Promise(resolve => {
    const end = (code: number): void => {
      clearInterval(timer)
      process.removeListener('SIGINT', interrupted)
      process.removeListener('SIGTERM', interrupted)
      attachment.detach()
      print('ended')
      loaded.close()
      resolve(code)
    }
    const interrupted = (): void => end(exit.interrupted)
    const timer = setInterval(() => {
      last = print('verdicts', last)
      const there = findInterface(attachment.interfaceIndex)?.xdp.some(x => x.programId === id)
      if (there) return
      io.err(`hairpin attach: it was taken off ${attachment.interfaceName}\n`)
      end(exit.ok)
    }, 1000)
    process.once('SIGINT', interrupted)
    process.once('SIGTERM', interrupted)
  })
}

const jsonOf = ({ packets, verdicts, counters }: Figures): object => ({
  packets: Number(packets),
  verdicts: Object.fromEntries([...verdicts].map(([k, n]) => [k, Number(n)])),
  counters: Object.fromEntries([...counters].map(([k, n]) => [k, Number(n)])),
})

/** One line: packets so far, how many in this second, and what is not zero of verdicts and counters. */
function lineOf({ packets, verdicts, counters }: Figures, before?: Figures): string {
  const rate = before ? ` (${grouped(packets - before.packets)}/s)` : ''
  const used = [...verdicts, ...counters].filter(([, n]) => n > 0n).map(([k, n]) => `, ${k} ${grouped(n)}`)
  return `${grouped(packets)} packets${rate}${used.join('')}`
}
