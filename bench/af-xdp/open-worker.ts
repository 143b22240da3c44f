/** openQueue as README.md shows it: JavaScript that looks at every packet. */

import { parentPort, workerData } from 'node:worker_threads'
import { openQueue } from '../../src/engine/queue/open.js'
import { pinThread } from '../../src/sys/cpus.js'
import { enterNamespace } from '../../src/sys/namespace.js'

const { namespace, cpu, frames } = workerData as { namespace: string; cpu: number; frames: number }
enterNamespace(namespace)
pinThread([cpu])
const queue = await openQueue('wire', 0, { steer: 'udp', frames })
let packets = 0
let other = 0
parentPort!.on('message', (text: string) => {
  if (text === 'end') void queue.close().then(() => parentPort!.close())
  else parentPort!.postMessage(packets)
})
parentPort!.postMessage(0)
for await (const batch of queue)
  for (const packet of batch) {
    packets++
    if (packet.getUint16(36) !== 53) other++
  }
if (other > 0) throw new Error('packets for another port')
