/**
 * Writes a trace as a capture file: classic pcap, little-endian, nanosecond timestamps, Ethernet.
 *
 * Streaming: one buffer, written whenever it is full, so a file of any length needs the same memory.
 */

import { closeSync, openSync, writeSync } from 'node:fs'
import { makeTrace } from './trace.js'
import type { Trace } from './trace.js'
import type { TraceSpecification } from './specification.js'

const NANOSECOND_MAGIC = 0xa1b23c4d
const LINKTYPE_ETHERNET = 1
export const FILE_HEADER_BYTES = 24
export const RECORD_HEADER_BYTES = 16
const BUFFER_BYTES = 4 << 20

/** The 24-byte file header. @param snap the snap length to declare, 0 for none. */
export function pcapHeader(snap: number): Uint8Array {
  const header = new Uint8Array(FILE_HEADER_BYTES)
  const view = new DataView(header.buffer)
  view.setUint32(0, NANOSECOND_MAGIC, true)
  view.setUint16(4, 2, true)
  view.setUint16(6, 4, true)
  view.setUint32(16, snap === 0 ? 262_144 : snap, true)
  view.setUint32(20, LINKTYPE_ETHERNET, true)
  return header
}

/** Writes records of the trace's next packets to `buffer`, until it is full or the trace ends; returns the bytes. */
export function fillRecords(trace: Trace, buffer: Uint8Array): number {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
  const start = trace.specification.start
  const startSeconds = Math.floor(start)
  const startNanoseconds = Math.round((start - startSeconds) * 1e9)
  const last = buffer.length - trace.room - RECORD_HEADER_BYTES
  let at = 0
  while (at <= last && trace.next(buffer, at + RECORD_HEADER_BYTES)) {
    const time = trace.time + startNanoseconds
    const seconds = Math.floor(time / 1e9)
    view.setUint32(at, startSeconds + seconds, true)
    view.setUint32(at + 4, time - seconds * 1e9, true)
    view.setUint32(at + 8, trace.captured, true)
    view.setUint32(at + 12, trace.length, true)
    at += RECORD_HEADER_BYTES + trace.captured
  }
  return at
}

export interface WrittenPcap {
  readonly packets: number
  readonly flows: number
  /** Size of the file. */
  readonly bytes: number
}

/**
 * Synthesises a trace into the file `path` (replaced if it exists). Throws a TraceError for a bad specification
 * before the file is touched, and what the file system reports.
 * @param progress called after each few megabytes, with packets written and packets in all.
 */
export function writePcap(
  path: string,
  specification: TraceSpecification,
  progress?: (written: number, packets: number) => void,
): WrittenPcap {
  const trace = makeTrace(specification)
  const buffer = new Uint8Array(BUFFER_BYTES)
  const file = openSync(path, 'w')
  let bytes = FILE_HEADER_BYTES
  try {
    writeAll(file, pcapHeader(trace.specification.snap))
    while (!trace.finished) {
      const length = fillRecords(trace, buffer)
      writeAll(file, buffer.subarray(0, length))
      bytes += length
      progress?.(trace.written, trace.packets)
    }
  } finally {
    closeSync(file)
  }
  return { packets: trace.packets, flows: trace.flows, bytes }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
}
