// The demo's traffic: one TCP flow, and knocks of the same source. Addresses are those of documentation (RFC 5737).

import { FrameWriter, TCP_FLAGS } from '../../traffic/frame.js'

const source = 0xc633_6407
const destination = 0xc000_0209
/** Ethernet, IPv4 and TCP without options; the shortest frame. */
export const shortestFrame = 60
const headers = 54
const longestPayload = 1460

function frame(serverPort: number, flags: number, payload: number): Uint8Array {
  const writer = new FrameWriter(shortestFrame, 0, longestPayload)
  const bytes = new Uint8Array(2048)
  writer.bind(bytes)
  Object.assign(writer, { client: source | 0, server: destination | 0, clientPort: 40_000, serverPort })
  Object.assign(writer, { flags, payload, sequence: 1, acknowledgement: 1 })
  writer.write(0)
  return bytes.slice(0, writer.captured)
}

/** A packet of the flow 198.51.100.7:40000 to 192.0.2.9:443, `bytes` long. */
export const elephant = (bytes = shortestFrame): Uint8Array =>
  frame(443, TCP_FLAGS.ack, Math.max(0, bytes - headers))

/** The same source knocks on these ports. */
export const knocking = (ports: readonly number[]): Uint8Array[] =>
  ports.map(port => frame(port, TCP_FLAGS.syn, 0))
