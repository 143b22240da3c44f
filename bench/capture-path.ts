/**
 * How fast captures come in: one reader over a synthesised file in the page cache, beside `cat FILE >/dev/null` and
 * `tcpdump -r FILE -w /dev/null`, in turns in one run.
 *
 *     node dist/bench/capture-path.js [--megabytes 600] [--rounds 9] [--folder /tmp] [--json]
 *
 * Two files: 64-byte frames, measured in packets, and large frames (mean at least 800 bytes), measured in bytes. Each is
 * read as pcap and as pcapng (GB/s are those of the pcap file in every row); `copy` reads the pcap and writes every packet
 * to /dev/null; `gzip` reads a packed tenth of it. The reader runs in this process from opening to closing, the tools as
 * processes. Targets: 10 Mpps at 64 bytes and 2 GB/s for large frames in the rows called `pcap`.
 */

import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { openCapture } from '../src/device/capture.js'
import { readerWorkspaceBytes } from '../src/device/control.js'
import { everyPacket } from '../src/device/device.js'
import { faultText } from '../src/device/fault.js'
import { carveSlab } from '../src/device/slab.js'
import { openOutput, writerWorkspaceBytes } from '../src/device/writer.js'
import { compare, formatComparison, type Candidate, type Comparison } from '../src/measure/compare.js'
import { writePcap } from '../src/traffic/pcapfile.js'
import type { TraceSpecification } from '../src/traffic/specification.js'

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '600' },
    rounds: { type: 'string', default: '9' },
    folder: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
})
const fileBytes = Number(values.megabytes) * 1e6
const rounds = Number(values.rounds)

const memory = new WebAssembly.Memory({ initial: 128, maximum: 128, shared: true })
const writerAt = readerWorkspaceBytes
const slab = carveSlab(writerAt + writerWorkspaceBytes, 8192, 2 << 20)

/** Reads a whole capture, and copies it to `out` if that is given. Answers the packets. */
function read(path: string, out?: string): number {
  const reader = openCapture(path, { memory, workspace: 0 })
  const writer =
    out === undefined ? undefined : openOutput(out, { memory, workspace: writerAt, origin: reader })
  for (;;) {
    const batch = reader.read(slab)
    writer?.write(slab, batch.count, everyPacket)
    if (batch.end) break
  }
  reader.close()
  writer?.close()
  const fault = reader.fault ?? writer?.fault
  if (fault !== undefined && fault.kind !== 'truncated') throw new Error(faultText(fault))
  return reader.packets
}

function shell(command: string): void {
  const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
}

/** The first tenth of a file, packed. */
function packTenth(path: string, packed: string): void {
  const bytes = Buffer.alloc(Math.ceil(statSync(path).size / 10))
  const file = openSync(path, 'r')
  readSync(file, bytes)
  closeSync(file)
  writeFileSync(packed, gzipSync(bytes))
}

/** Measures one file: `amount` is what a whole reading counts, in billions of bytes or millions of packets. */
function measure(path: string, amount: number, unit: string, parameters: Record<string, number>) {
  const rate = (work: () => void, share = 1): number => {
    const begun = performance.now()
    work()
    return (amount * share * 1000) / (performance.now() - begun)
  }
  const packed = `${path}.gz`
  const candidates: Candidate[] = [
    { name: 'cat', run: () => rate(() => shell(`cat ${path} >/dev/null`)) },
    { name: 'pcap', run: () => rate(() => read(path)) },
    { name: 'pcapng', run: () => rate(() => read(`${path}ng`)) },
    { name: 'copy', run: () => rate(() => read(path, '/dev/null')) },
    { name: 'gzip', run: () => rate(() => read(packed), 0.1) },
  ]
  if (spawnSync('tcpdump', ['--version']).error === undefined) {
    const command = `tcpdump -r ${path} -w /dev/null 2>/dev/null`
    candidates.push({ name: 'tcpdump', run: () => rate(() => shell(command)) })
  }
  return compare(candidates, { rounds, unit, better: 'higher', parameters })
}

/** Synthesises a file, makes a pcapng and a gzip of it, and measures them. */
async function bench(
  folder: string,
  specification: TraceSpecification,
  unit: 'Mpps' | 'GB/s',
): Promise<Comparison> {
  const path = join(folder, 'bench.pcap')
  const { packets, bytes } = writePcap(path, specification)
  read(path, `${path}ng`)
  packTenth(path, `${path}.gz`)
  const meanFrame = Math.round((bytes - 24) / packets - 16)
  return measure(path, unit === 'Mpps' ? packets / 1e6 : bytes / 1e9, unit, { packets, bytes, meanFrame })
}

const folder = mkdtempSync(join(values.folder, 'hairpin-bench-'))
try {
  const small = { law: 'campus', packets: Math.ceil(fileBytes / 80), frameLimit: 64, frameMinimum: 64 }
  const large = { law: 'web-search', packets: Math.ceil(fileBytes / 1000), up: 0.1 }
  const results = [await bench(folder, small, 'Mpps'), await bench(folder, large, 'GB/s')]
  if (values.json) process.stdout.write(`${JSON.stringify(results.flatMap(({ records }) => records))}\n`)
  else process.stdout.write(results.map(formatComparison).join('\n'))
} finally {
  rmSync(folder, { recursive: true })
}
