/** The recipe's worker thread: one loop, looking for as long as ours does and then waiting for the socket. */

import { workerData } from 'node:worker_threads'
import { Patience } from '../../src/engine/queue/patience.js'
import { pinThread } from '../../src/sys/cpus.js'
import { PollSet } from '../../src/sys/poll.js'

const { memory, module, block, table, fd, cpu, control, batch } = workerData as {
  memory: WebAssembly.Memory
  module: WebAssembly.Module
  block: number
  table: number
  fd: number
  cpu: number
  control: number
  batch: number
}
const words = new Int32Array(memory.buffer, control, 4)
const { handle } = new WebAssembly.Instance(module, { env: { memory } }).exports as {
  handle: (at: number, most: number, table: number) => number
}
pinThread([cpu])
const poll = new PollSet([fd])
const patience = new Patience(performance.now())
while (Atomics.load(words, 0) === 0) {
  const count = handle(block, batch, table)
  words[1] += count
  if (count > 0) patience.found(count, performance.now())
  else if (patience.isOver(performance.now())) {
    poll.wait(20)
    patience.slept(performance.now())
  }
}
