// hairpin traffic info: what a capture holds.

import { openCapture } from '../../device/capture.js'
import { faultText } from '../../device/fault.js'
import { compiledWalkers } from '../../device/walker.js'
import { readingMemory } from '../../engine/packets.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet } from '../flags.js'
import { openable } from '../inputs.js'
import { progressLine } from '../progress.js'
import { Census } from './census.js'
import { infoText } from './page.js'

export async function info(path: string, flags: Flags, io: Io): Promise<number> {
  openable(path)
  const { memory, slab, workspace } = readingMemory()
  const source = openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) })
  const census = new Census()
  const progress = progressLine(io, 'reading')
  for (let end = false; !end;) {
    const batch = source.read(slab)
    census.take(memory, slab, batch.count)
    progress.update(source.packets, source.progress.bytes, source.progress.size)
    end = batch.end
    await new Promise(resolve => setImmediate(resolve))
  }
  progress.clear()
  source.close()
  const seen = {
    path,
    format: source.format,
    summary: census.summary(),
    clamped: source.clamped,
    notes: source.notes,
  }
  const { summary, ...rest } = seen
  const fault = source.fault
  const json = { ...rest, ...summary, faults: fault ? [fault] : [] }
  if (summary.packets > 0 || !fault)
    io.out(isSet(flags, 'json') ? `${JSON.stringify(json)}\n` : infoText(seen))
  if (!fault) return exit.ok
  io.err(`hairpin traffic: ${faultText(fault)}\n`)
  return exit.input
}
