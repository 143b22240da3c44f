// hairpin trace: what a program does with one packet, line by line. README.md beside this file is the help.

import { openCapture } from '../../device/capture.js'
import { faultText } from '../../device/fault.js'
import { compiledWalkers } from '../../device/walker.js'
import { loadPackets } from '../../engine/packets.js'
import { Failure, UsageError } from '../command.js'
import type { Command } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, onlyArgument } from '../flags.js'
import { grouped } from '../grid.js'
import { captureOf, optionsOf, runFlags } from '../inputs.js'
import { compileProgram } from '../program.js'
import { tracePage } from './page.js'
import { trace } from './trace.js'

/** Packets that are kept in memory to run before the one that is traced. */
const mostPackets = 10_000_000

export const command: Command = {
  name: 'trace',
  flags: { ...runFlags, packet: { type: 'string', short: 'p' } },
  async run(flags, io) {
    const file = onlyArgument(flags, 'PROGRAM')
    const index = integer(flags, 'packet', { least: 0, most: mostPackets - 1 }) ?? 0
    const path = captureOf(flags)
    const compiled = await compileProgram(file, io)
    const { settings, rules, seed = 1n } = optionsOf(flags, compiled.artifact)
    const store = loadPackets(
      (memory, workspace) => openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) }),
      index + 1,
    )
    const fault = store.fault && faultText(store.fault)
    if (store.count <= index && fault !== undefined) throw new Failure(fault, exit.input)
    if (store.count <= index)
      throw new UsageError(
        store.count === 0
          ? `${path} has no packets`
          : `${path} has ${grouped(store.count)} packets, so --packet takes 0 to ${store.count - 1}`,
      )
    const found = trace(compiled, store, index, {
      capture: path,
      seed,
      ...(settings && { settings }),
      ...(rules && { rules }),
      progress: done => {
        if (io.terminal && index > 20_000) io.err(`\r\x1b[2Krunning up to packet ${index}: ${grouped(done)}`)
      },
    })
    if (io.terminal && index > 20_000) io.err('\r\x1b[2K')
    io.out(isSet(flags, 'json') ? `${JSON.stringify(found)}\n` : tracePage(found, io.colour))
    return exit.ok
  },
}
