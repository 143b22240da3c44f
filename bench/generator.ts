/**
 * How exactly the generator keeps a rate, and how fast it is at most: `sudo node dist/bench/generator.js [--seconds n] [--json]`.
 *
 * 64-byte packets of 1,024 flows out of one end of a veth pair into XDP drop at the other, from one pinned thread, at 10,000,
 * 100,000, 1 M and 5 M packets a second and as fast as possible. The error is that of the rate on the wire, counted by the
 * device over the whole time.
 */

import { parseArgs } from 'node:util'
import { up } from '../src/lab/lab.js'
import { readEnvironment } from '../src/measure/environment.js'
import { foreignSeconds, readLoad } from '../src/measure/foreign.js'
import { formatRecords, makeRecord } from '../src/measure/record.js'
import { onlineCpus, pinThread } from '../src/sys/cpus.js'
import { threadTime } from '../src/sys/thread-time.js'
import { openLiveSender } from '../src/traffic/live.js'
import { defaultStream, streamPackets } from '../src/traffic/stream.js'
import { transmit } from '../src/traffic/transmission.js'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, json: { type: 'boolean', default: false } },
})
const seconds = Number(values.seconds)
const rates = [10_000, 100_000, 1_000_000, 5_000_000]
const packets = streamPackets({ ...defaultStream, flows: 1024 })
const environment = readEnvironment()
const lab = up({
  namespaces: { sender: {}, sink: {} },
  pairs: [
    {
      ends: [
        { namespace: 'sender', device: 'eth0' },
        { namespace: 'sink', device: 'eth0', xdp: 'drop' },
      ],
    },
  ],
})

/** Sends for so long; answers the transmission, its processor time a packet, and the CPU seconds others used. */
async function run(rate: number | undefined, time: number) {
  const sender = lab.inNamespace('sender', () =>
    openLiveSender({ packets, device: 'eth0', ...(rate !== undefined && { rate }) }),
  )
  try {
    await sender.send(1000)
    const [load, begun] = [readLoad(), threadTime()]
    const order =
      rate === undefined ? { count: Infinity, seconds: time } : { count: rate * time, seconds: Infinity }
    const found = await transmit(sender, packets, { ...order, drain: 500 })
    const after = readLoad()
    return {
      found,
      perPacket: Number(threadTime() - begun) / found.sent,
      foreign: load && after ? foreignSeconds(load, after) : 0,
    }
  } finally {
    sender.close()
  }
}

try {
  pinThread([onlineCpus()[0]])
  const shared = { environment, disturbed: null, parameters: { size: 64, flows: 1024, seconds } }
  const records = []
  for (const rate of rates) {
    const { found, foreign } = await run(rate, seconds)
    const error = 100 * Math.abs(found.deviation!.onWire!)
    const late = (found.latest / 1e6).toFixed(3)
    const others = `others used ${foreign.toFixed(2)} CPU seconds`
    console.error(`${rate} a second: latest ${late} ms late, ${found.dropped} dropped, ${others}`)
    const parameters = { ...shared.parameters, rate }
    const disturbed = { rejected: 0, kept: foreign > 0.05 * found.seconds ? 1 : 0 }
    const about = { ...shared, parameters, disturbed, samples: [error] }
    records.push(makeRecord({ ...about, name: 'rate error', unit: '%', better: 'lower' }))
  }
  const top = []
  for (let round = 0; round < 5; round++) top.push(await run(undefined, Math.min(2, seconds)))
  const rate = top.map(({ found }) => found.onWire!.packets / 1e6)
  const work = top.map(t => t.perPacket)
  records.push(
    makeRecord({ ...shared, name: 'top speed', unit: 'Mpps', better: 'higher', samples: rate }),
    makeRecord({ ...shared, name: 'processor time', unit: 'ns/packet', better: 'lower', samples: work }),
  )
  process.stdout.write(values.json ? `${JSON.stringify(records)}\n` : formatRecords(records))
} finally {
  lab.down()
}
