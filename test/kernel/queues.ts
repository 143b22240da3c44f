// Traffic that comes by all receive queues of a veth pair: what sends it, and what came by which.

import { statistics } from '../../src/sys/ethtool.js'

/** A command that sends datagrams of many flows, which the sender's queues share by their hash. */
export const datagrams = (to: string, flows: number, each: number): string[] => [
  process.execPath,
  '-e',
  `const { createSocket } = require('node:dgram')
   const send = s => new Promise(done => s.send('x', 9, '${to}', done))
   const flow = async () => {
     const s = createSocket('udp4')
     for (let k = 0; k < ${each}; k++) await send(s)
     s.close()
   }
   Promise.all(Array.from({ length: ${flows} }, flow))`,
]

/** Packets that XDP had of each queue. In the interface's namespace. */
export const handedByQueue = (device: string): number[] =>
  [...statistics(device)].flatMap(([name, n]) => (/^rx_queue_\d+_xdp_packets$/.test(name) ? [Number(n)] : []))
