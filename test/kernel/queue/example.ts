// The example of README.md, as it stands there.

import { openQueue } from 'hairpin'

const queue = await openQueue('eth3', 4, { steer: 'udp' })
let packets = 0
let before = 0
setInterval(() => {
  console.log(`UDP pps: ${packets - before}`)
  before = packets
}, 1000).unref()
process.once('SIGINT', () => void queue.close())

for await (const batch of queue)
  for (const packet of batch) {
    packets++
    // What is not for port 53 is no flood: back to the kernel, as if it had just come in.
    if (packet.getUint16(36) !== 53) queue.inject(packet)
  }
