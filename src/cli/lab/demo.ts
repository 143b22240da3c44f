// hairpin lab demo: one elephant flow through a program in the kernel, live, in a lab of its own.
//
// Two hosts on a cable: at one end packets are sent at a constant rate and what comes back is counted, at the other the
// program is attached by XDP. Everything printed was counted by the program, the sender or the devices.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Artifact } from '../../engine/artifact.js'
import { load } from '../../engine/kernel/load.js'
import { up } from '../../lab/lab.js'
import type { LabDescription } from '../../lab/description.js'
import { UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, text } from '../flags.js'
import { optionsOf } from '../inputs.js'
import { withKernel } from '../kernel.js'
import { compileProgram } from '../program.js'
import { Demonstration } from './demonstration.js'
import { demoEnd, demoHead } from './demo-page.js'
import { openView } from './live-view.js'

const root = new URL('../../../../', import.meta.url)
const bundled = 'programs/port-knocking.ts'
const defaultSeconds = 6
const defaultRate = 500_000

/** What is sent comes from `sender`; what its end gets back is counted and ends there. */
const cable: LabDescription = {
  namespaces: { sender: {}, box: {} },
  pairs: [
    {
      ends: [
        { namespace: 'sender', device: 'eth0', xdp: 'drop' },
        { namespace: 'box', device: 'eth0' },
      ],
    },
  ],
}

export async function labDemo(flags: Flags, io: Io): Promise<number> {
  const [given, more] = flags.positionals
  if (more !== undefined) throw new UsageError(`one PROGRAM is expected, and ${more} is another`)
  const file = given ?? (existsSync(bundled) ? bundled : fileURLToPath(new URL(bundled, root)))
  const seconds = integer(flags, 'seconds', { least: 1, most: 600 }) ?? defaultSeconds
  const rate = rateOf(flags)
  const json = isSet(flags, 'json')
  const compiled = await compileProgram(file, io)
  const { settings, rules, seed = 1n } = optionsOf(flags, compiled.artifact)
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  const lab = withKernel(() => up(cable))
  try {
    const loaded = withKernel(() =>
      load(compiled, { settings: settings ?? new Map(), seed, ...(rules && { rules }) }),
    )
    const knocks = knockPorts(compiled.artifact.settings, settings)
    const demonstration = withKernel(
      () => new Demonstration(lab, loaded, compiled.artifact, { rate, knocks }),
    )
    try {
      const view = openView(lab, demoHead(demonstration, file, seconds), io, json, interrupt)
      try {
        await demonstration.run(seconds, stop.signal, second => view.show(second))
      } finally {
        view.close()
      }
      const end = demonstration.end()
      io.out(json ? `${JSON.stringify({ event: 'ended', ...end })}\n` : demoEnd(end))
      if (end.unaccounted !== 0) return exit.no
    } finally {
      demonstration.close()
      loaded.close()
    }
    return stop.signal.aborted ? exit.interrupted : exit.ok
  } finally {
    lab.down()
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt)
  }
}

function rateOf(flags: Flags): number | undefined {
  if (text(flags, 'rate') === 'max') return undefined
  return integer(flags, 'rate', { least: 1, most: 100_000_000 }) ?? defaultRate
}

/** Where a program that has ports to knock on is knocked on; empty for all others. */
function knockPorts(
  parameters: Artifact['settings'],
  given: ReadonlyMap<string, bigint> | undefined,
): number[] {
  const ports = ['first', 'second', 'third'].map(name =>
    parameters.find(p => p.name === name && p.display === 'port'),
  )
  return ports.flatMap(p =>
    p && !ports.includes(undefined) ? [Number(given?.get(p.name) ?? p.default)] : [],
  )
}
