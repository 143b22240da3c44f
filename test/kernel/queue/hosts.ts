/** Two hosts with a cable, for tests of AF_XDP queues: a sender of live frames, and an interface under test. */

import { spawnSync } from 'node:child_process'
import { compile } from '../../../src/compile.js'
import type { Artifact } from '../../../src/engine/artifact.js'
import { up } from '../../../src/lab/lab.js'
import type { Lab } from '../../../src/lab/lab.js'

/** Sender `left` with device `out`, receiver `right` with device `wire`; addresses 10.77.0.1 and 10.77.0.2. */
export function hosts(queues = 1): Lab {
  return up({
    namespaces: { left: {}, right: {} },
    pairs: [
      {
        queues,
        staticNeighbours: true,
        ends: [
          { namespace: 'left', device: 'out', addresses: ['10.77.0.1/24'] },
          { namespace: 'right', device: 'wire', addresses: ['10.77.0.2/24'] },
        ],
      },
    ],
  })
}

/** An Ethernet frame with IPv4 and UDP from 10.77.0.1:4000 to 10.77.0.2, 60 bytes. */
export function udpFrame(port: number): Uint8Array {
  const bytes = new Uint8Array(60)
  const view = new DataView(bytes.buffer)
  bytes.set([2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 1, 8, 0, 0x45])
  view.setUint16(16, 46)
  view.setUint8(22, 64)
  view.setUint8(23, 17)
  view.setUint32(26, 0x0a4d_0001)
  view.setUint32(30, 0x0a4d_0002)
  let sum = 0
  for (let k = 14; k < 34; k += 2) sum += view.getUint16(k)
  view.setUint16(24, ~((sum & 0xffff) + (sum >>> 16)))
  view.setUint16(34, 4000)
  view.setUint16(36, port)
  view.setUint16(38, 26)
  return bytes
}

/** A program that decides by the UDP port: 1 drop, 2 pass, 3 transmit, 4 redirect to `device`; it counts them. */
export function verdictsByPort(device: number): Artifact {
  const { compiled, diagnostics } = compile(
    'by-port.ts',
    `import { type Packet, Verdict, redirect, table, port, u32 } from 'hairpin'
const seen = table({ key: port, value: u32, capacity: 64 })
export default function byPort(packet: Packet): Verdict {
  const udp = packet.ipv4?.udp
  if (!udp) return Verdict.Drop
  const to = udp.destinationPort
  seen.set(to, (seen.get(to) ?? 0) + 1)
  if (to === 2) return Verdict.Pass
  if (to === 3) return Verdict.Transmit
  if (to === 4) return redirect(${device})
  return Verdict.Drop
}
`,
    { ways: ['shared'] },
  )
  if (!compiled) throw new Error(JSON.stringify(diagnostics))
  return compiled.artifact
}

/** A UDP server in the lab that counts what it receives; `count` asks it. */
export async function udpServer(
  lab: Lab,
  namespace: string,
  address: string,
  port: number,
): Promise<{ count(): Promise<number>; stop(): void }> {
  const source = `const s = require('node:dgram').createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
let n = 0
s.on('message', () => { n++ })
s.bind(${port}, '${address}', () => console.log('ready'))
process.stdin.on('data', () => console.log(n)).on('end', () => process.exit())`
  const child = lab.start(namespace, [process.execPath, '-e', source], { stdio: ['pipe', 'pipe', 'inherit'] })
  const line = (): Promise<string> =>
    new Promise(resolve => child.stdout!.once('data', d => resolve(String(d))))
  await line()
  return {
    count() {
      const answer = line()
      child.stdin!.write('?\n')
      return answer.then(Number)
    },
    stop: () => child.stdin!.end(),
  }
}

/** Whether the kernel at an address answers: it refuses a TCP connection, and answers a ping where there is the command. */
export async function answers(lab: Lab, namespace: string, address: string): Promise<boolean> {
  const source = `const s = require('node:net').connect(9, '${address}')
s.setTimeout(2000, () => process.exit(1))
s.on('error', error => process.exit(error.code === 'ECONNREFUSED' ? 0 : 1))`
  const refused = await lab.run(namespace, [process.execPath, '-e', source])
  const command = [['ping'], ['busybox', 'ping']].find(
    ([name]) => spawnSync(name, ['--help']).error === undefined,
  )
  if (command === undefined) return refused.status === 0
  const pinged = await lab.run(namespace, [...command, '-c', '2', '-W', '2', address])
  return refused.status === 0 && pinged.status === 0
}
