// hairpin test: the packets a program keeps, compared with a capture that holds what they should be. README.md beside
// this file is the help.

import { openCapture } from '../../device/capture.js'
import { faultText } from '../../device/fault.js'
import { descriptor, descriptorBytes, verdictNumber } from '../../device/slab.js'
import { compiledWalkers } from '../../device/walker.js'
import { WorkerFailure } from '../../engine/crew.js'
import { loadPackets } from '../../engine/packets.js'
import { plan } from '../../engine/plan.js'
import { start } from '../../engine/run.js'
import type { Collect } from '../../engine/run.js'
import { Failure } from '../command.js'
import type { Command } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, onlyArgument, required } from '../flags.js'
import { captureOf, openable, optionsOf, runFlags, strategyOf } from '../inputs.js'
import { loadArtifact } from '../program.js'
import { differenceOf } from './difference.js'
import type { Difference } from './difference.js'
import { reportText } from './report.js'

const kept: readonly number[] = [verdictNumber.pass, verdictNumber.transmit, verdictNumber.redirect]

export const command: Command = {
  name: 'test',
  flags: { ...runFlags, expect: { type: 'string', short: 'e' }, repeat: { type: 'string' } },
  async run(flags, io) {
    const file = onlyArgument(flags, 'PROGRAM')
    const path = captureOf(flags)
    const expectedPath = openable(required(flags, 'expect', 'FILE'))
    const repeat = integer(flags, 'repeat', { least: 1, most: 1000 }) ?? 1
    const artifact = await loadArtifact(file, io)
    const planned = plan(artifact, {
      ...optionsOf(flags, artifact),
      strategy: strategyOf('single'),
      cores: 1,
    })
    if ('error' in planned) throw new Failure(planned.error, exit.program)
    const { rules } = optionsOf(flags, artifact)
    const expected = loadPackets((memory, workspace) => openCapture(expectedPath, { memory, workspace }))
    if (expected.fault) throw new Failure(faultText(expected.fault), exit.input)

    let found = 0
    let difference: Difference | undefined
    const compare: Collect = (slab, count, firstSequence, { buffer }) => {
      const view = new DataView(buffer)
      for (let i = 0; i < count; i++) {
        const d = slab.descriptors + i * descriptorBytes
        if (!kept.includes(view.getUint32(d + descriptor.verdict, true) & 0xff)) continue
        const position = found++
        if (difference) continue
        const at = view.getUint32(d + descriptor.address, true)
        const bytes = new Uint8Array(buffer, at, view.getUint32(d + descriptor.length, true))
        const wanted = position < expected.count ? expected.packet(position).bytes : undefined
        const input = Number(firstSequence) - 1 + i
        difference = differenceOf(position, input, wanted, bytes)
      }
    }
    const times: number[] = []
    let received = 0
    for (let n = 0; n < repeat; n++) {
      const result = await start(
        artifact,
        planned,
        strategyOf('single'),
        {
          open: (memory, workspace) =>
            openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) }),
          ...(n === 0 && { collect: compare }),
        },
        rules,
      ).catch((error: unknown) => {
        throw error instanceof WorkerFailure ? new Failure(error.message, exit.failure) : error
      })
      if (result.source.fault) throw new Failure(faultText(result.source.fault), exit.input)
      received = result.received
      times.push((1e6 * result.workers[0].busyMilliseconds) / Math.max(received, 1))
    }
    if (!difference && found < expected.count)
      difference = differenceOf(found, undefined, expected.packet(found).bytes, undefined)
    const median = times.sort((a, b) => a - b)[times.length >> 1]
    const report = {
      program: artifact.name,
      equal: difference === undefined,
      received,
      kept: found,
      expected: expected.count,
      difference: difference ?? null,
      nanosecondsPerPacket: repeat > 1 && received > 0 ? median : null,
    }
    io.out(isSet(flags, 'json') ? `${JSON.stringify(report)}\n` : reportText(report, repeat))
    return report.equal ? exit.ok : exit.no
  },
}
