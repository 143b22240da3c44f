// hairpin attach: a program on an interface, in the kernel. README.md beside this file is the help.

import { isPinned, pinProgram, preparePins } from '../../engine/kernel/attached.js'
import { driverCounts } from '../../engine/kernel/driver.js'
import { clocks } from '../../backend/ebpf/target.js'
import type { Clock } from '../../backend/ebpf/target.js'
import type { Loadable, LoadOptions, LoadedProgram } from '../../engine/kernel/load.js'
import { kernelForm } from '../../engine/kernel/form.js'
import { kernelSharing, kernelSharings, whyNotShared } from '../../engine/kernel/sharing.js'
import type { KernelSharing } from '../../engine/kernel/sharing.js'
import { sharingText } from '../../strategy/shared.js'
import { programInfo } from '../../sys/info.js'
import { attachXdp } from '../../sys/xdp.js'
import type { Attachment } from '../../sys/xdp.js'
import { Failure, UsageError } from '../command.js'
import type { Command, Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet, text } from '../flags.js'
import { optionsOf, rowsOf } from '../inputs.js'
import { refuseRoutes } from '../routes.js'
import { interfaceNames, pinName, withKernel } from '../kernel.js'
import { hint } from '../nearest.js'
import { loadExpanded } from '../program.js'
import { checkDevices } from './devices.js'
import { foreground } from './foreground.js'
import type { Place } from './foreground.js'
import { reportVerified, verified } from './verified.js'
import { Watch } from './warnings.js'

const modes = ['auto', 'native', 'generic'] as const
type Mode = (typeof modes)[number]

export const command: Command = {
  name: 'attach',
  flags: {
    mode: { type: 'string', short: 'm' },
    pin: { type: 'string' },
    strategy: { type: 'string', short: 's' },
    sharing: { type: 'string' },
    set: { type: 'string', multiple: true },
    table: { type: 'string', multiple: true },
    seed: { type: 'string' },
    clock: { type: 'string' },
    'dry-run': { type: 'boolean' },
    'verifier-log': { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(flags, io) {
    const dry = isSet(flags, 'dry-run')
    const { file, devices } = argumentsOf(flags, dry)
    const mode = modeOf(flags)
    const name = text(flags, 'pin')
    const pin = name === undefined ? undefined : pinName(name)
    if (dry && pin !== undefined) throw new UsageError('--dry-run attaches nothing that --pin could keep')
    const strategy = strategyOf(flags)
    const compiled = await loadExpanded(file, io, strategy === 'shared' ? ['shared'] : [])
    refuseRoutes(flags, compiled.artifact)
    const rows = rowsOf(flags, compiled.artifact, interfaceNames())
    const { settings, rules, seed = 1n } = optionsOf(flags, compiled.artifact, rows)
    const clock = clockOf(flags)
    if (strategy === 'shared' && clock !== 'exact')
      throw new UsageError(`--clock ${clock} goes with --strategy single`)
    const asked = sharingOf(flags, strategy)
    const wanted: LoadOptions = {
      settings: settings ?? new Map(),
      seed,
      clock,
      rows,
      ...(rules && { rules }),
    }
    return withKernel(() => {
      const options = strategy === 'shared' ? { ...wanted, sharing: sharingFor(compiled, asked) } : wanted
      if (!dry)
        checkDevices(devices, strategy === 'single' && compiled.artifact.stateLayout.objects.length > 0, io)
      if (pin !== undefined) {
        preparePins()
        if (isPinned(pin))
          throw new Failure(
            `${pin} is pinned already; see hairpin list, and hairpin detach ${pin}`,
            exit.program,
          )
      }
      const loaded = verified(compiled, options, text(flags, 'verifier-log'))
      if (dry) return reportVerified(loaded, compiled.artifact.name, isSet(flags, 'json'), io)
      const watch = new Watch(compiled.program.file, compiled.program.source)
      return attach(loaded, watch, devices, mode, pin, isSet(flags, 'json'), io, options.sharing)
    })
  },
}

const strategyNames = ['single', 'shared'] as const

/** How state meets CPUs. */
function strategyOf(flags: Flags): (typeof strategyNames)[number] {
  const given = text(flags, 'strategy') ?? 'single'
  const found = strategyNames.find(s => s === given)
  if (found) return found
  throw new UsageError(`--strategy takes ${strategyNames.join(' or ')} here, not ${given}`)
}

/** The form of sharing asked for. */
function sharingOf(flags: Flags, strategy: (typeof strategyNames)[number]): KernelSharing | undefined {
  const given = text(flags, 'sharing')
  if (given === undefined) return undefined
  const found = kernelSharings.find(s => s === given)
  if (!found) throw new UsageError(`--sharing takes ${kernelSharings.join(', ')}, not ${given}`)
  if (strategy !== 'shared')
    throw new UsageError(`--sharing is of strategy shared; strategy ${strategy} shares nothing`)
  return found
}

/** The form asked for, or the least that is safe. */
function sharingFor(subject: Loadable, asked: KernelSharing | undefined): KernelSharing {
  const form = kernelForm()
  if (asked === undefined) return kernelSharing(subject, form)
  const why = whyNotShared(subject, asked, form)
  if (why === undefined) return asked
  const safe = kernelSharings.filter(s => whyNotShared(subject, s, form) === undefined)
  throw new Failure(
    `${subject.artifact.name} cannot be shared with ${asked}: ${why}\nIt is safe with --sharing ${safe.join(' or ')}.`,
    exit.program,
  )
}

function argumentsOf({ positionals }: Flags, dry: boolean): { file: string; devices: string[] } {
  const [file, ...devices] = positionals
  if (file === undefined) throw new UsageError('PROGRAM is missing')
  if (devices.length === 0 && !dry)
    throw new UsageError('IF is missing: the interface to attach to; there is no default')
  return { file, devices }
}

function clockOf(flags: Flags): Clock {
  const given = text(flags, 'clock') ?? 'exact'
  const clock = clocks.find(c => c === given)
  if (!clock)
    throw new UsageError(`--clock takes ${clocks.join(', ')}, not ${given}.${hint(given, [...clocks])}`)
  return clock
}

function modeOf(flags: Flags): Mode {
  const given = text(flags, 'mode') ?? 'auto'
  const mode = modes.find(m => m === given)
  if (mode) return mode
  throw new UsageError(`--mode takes ${modes.join(', ')}, not ${given}.${hint(given, [...modes])}`)
}

/** Attaches to all interfaces or to none. */
function attach(
  loaded: LoadedProgram,
  watch: Watch,
  names: readonly string[],
  mode: Mode,
  pin: string | undefined,
  json: boolean,
  io: Io,
  sharing: KernelSharing | undefined,
): Promise<number> | number {
  const places: Place[] = []
  try {
    for (const name of names) {
      const before = driverCounts(name)
      places.push({ attachment: attachXdp(loaded.program, name, mode), before })
    }
    const attachments = places.map(p => p.attachment)
    if (pin !== undefined) pinProgram(pin, loaded, attachments)
  } catch (error) {
    for (const { attachment } of places) attachment.detach()
    loaded.close()
    throw error
  }
  const { id } = programInfo(loaded.program)
  for (const { attachment } of places) {
    if (json)
      io.out(
        `${JSON.stringify({ ...attachedJson(loaded, id, attachment, pin), ...(sharing && { sharing }) })}\n`,
      )
    else {
      io.out(
        `${loaded.description.name} on ${attachment.interfaceName}: ${attachment.mode} mode, program ${id}\n`,
      )
      if (attachment.refusal) io.err(`not native: ${attachment.refusal.message}\n`)
    }
  }
  if (sharing && !json) io.out(`all CPUs share one state: ${sharingText[sharing]}\n`)
  if (pin !== undefined && !json) io.out(`pinned as ${pin}; take it off with hairpin detach ${pin}\n`)
  if (pin === undefined) return foreground(loaded, watch, places, json, io)
  // The pins hold it from here on; closing the link's descriptor does not detach.
  for (const { attachment } of places) attachment.link?.close()
  loaded.close()
  return exit.ok
}

const attachedJson = (
  { description }: LoadedProgram,
  programId: number,
  { interfaceName, mode, link, refusal }: Attachment,
  pin: string | undefined,
): object => ({
  event: 'attached',
  program: description.name,
  interface: interfaceName,
  mode,
  by: link ? 'link' : 'netlink',
  programId,
  ...(pin !== undefined && { pin }),
  ...(refusal && { refusal: refusal.message }),
})
