/**
 * Mode `live`: the program is attached natively to one end of a veth pair, live frames arrive from the other, and the
 * kernel's statistics tell what a run took, less what they tell of an empty program.
 */

import { up } from '../../src/lab/lab.js'
import { enableStatistics, programInfo } from '../../src/sys/info.js'
import type { BpfProgram } from '../../src/sys/program.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { emptyProgram } from './measure.js'
import type { Mode } from './measure.js'
import type { PacketSet } from './packets.js'

/** All flows in random order, through a device. */
export function modeLive({ measured }: PacketSet, count: number): Mode {
  const lab = up({
    namespaces: { sender: {}, tested: {} },
    pairs: [
      {
        ends: [
          { namespace: 'sender', device: 'a' },
          { namespace: 'tested', device: 'b' },
        ],
      },
    ],
  })
  const [empty, back] = [emptyProgram(), emptyProgram()]
  // What the program transmits comes back to a device that must take frames too.
  const sink = lab.inNamespace('sender', () => attachXdp(back, 'a', 'native'))
  const statistics = enableStatistics()
  const run = async (program: BpfProgram): Promise<number> => {
    const attachment = lab.inNamespace('tested', () => attachXdp(program, 'b', 'native'))
    const sender = lab.inNamespace('sender', () => openLiveSender({ packets: measured, device: 'a' }))
    try {
      await sender.send(measured.length)
      const before = programInfo(program)
      await sender.send(count)
      const after = programInfo(program)
      return Number(after.runTime - before.runTime) / Number(after.runCount - before.runCount)
    } finally {
      sender.close()
      attachment.detach()
    }
  }
  return {
    name: 'live',
    async measure(program) {
      const base = await run(empty)
      return (await run(program)) - base
    },
    close() {
      statistics.close()
      sink.detach()
      lab.down()
      empty.close()
      back.close()
    },
  }
}
