/**
 * The bundled demo capture: a real capture cut to its first connections, with port knocking merged in.
 *
 * programs/demo/README.md states origin, licence and what was added; `tools/demo-capture.ts` writes the file.
 */

import { FILE_HEADER_BYTES } from './pcapfile.js'
import { mergeRecords, readCapture } from './capture.js'
import { mergeKnocking } from './knocking.js'
import type { Knocker } from './knocking.js'
import { TraceError } from './specification.js'

/** The first 90 of the original's 100 connections. */
export const DEMO_PACKETS = 756

/** The host of the capture, a virtual machine, that the knockers knock on. */
export const DEMO_SERVER = '10.0.2.15'

/** Addresses are those set aside for documentation (RFC 5737). */
export const DEMO_KNOCKERS: readonly Knocker[] = [
  { source: '198.51.100.7', start: 5, service: 22, packets: 48 },
  { source: '203.0.113.9', start: 20, service: 22, wrong: true },
  { source: '198.51.100.23', start: 42, service: 443, packets: 32 },
]

/** Makes the demo capture from the original's bytes. */
export function makeDemoCapture(original: Uint8Array): Uint8Array {
  const capture = readCapture(original)
  if ('problem' in capture) throw new TraceError([`capture: ${capture.problem}`])
  const records = capture.records.slice(0, DEMO_PACKETS)
  const cut = mergeRecords({ ...capture, header: original.subarray(0, FILE_HEADER_BYTES), records }, [])
  return mergeKnocking(cut, DEMO_SERVER, DEMO_KNOCKERS)
}
