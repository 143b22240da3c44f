/**
 * How fast captures come in: one reader over a synthesised file in the page cache, beside `cat FILE >/dev/null` and
 * `tcpdump -r FILE -w /dev/null`, in turns in one run.
 *
 *     node dist/bench/capture-path.js [--megabytes 600] [--rounds 7] [--folder /tmp] [--json]
 *
 * Two files: 64-byte frames, where packets per second count, and large frames (mean at least 800 bytes), where bytes per
 * second count. Each as pcap and as pcapng; `copy` reads the pcap and writes every packet to /dev/null. The reader runs
 * in this process from opening to closing, the tools as processes; the first round warms up and is not counted.
 * Targets: 2 GB/s for large frames and 10 Mpps at 64 bytes (the `pcap` rows).
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openCapture } from '../src/device/capture.js'
import { readerWorkspaceBytes } from '../src/device/control.js'
import { everyPacket } from '../src/device/device.js'
import { faultText } from '../src/device/fault.js'
import { carveSlab } from '../src/device/slab.js'
import { openOutput, writerWorkspaceBytes } from '../src/device/writer.js'
import { writePcap } from '../src/traffic/pcapfile.js'
import type { TraceSpecification } from '../src/traffic/specification.js'

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '600' },
    rounds: { type: 'string', default: '7' },
    folder: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
})
const fileBytes = Number(values.megabytes) * 1e6
const rounds = Number(values.rounds)

const memory = new WebAssembly.Memory({ initial: 128, maximum: 128, shared: true })
const writerAt = readerWorkspaceBytes
const slab = carveSlab(writerAt + writerWorkspaceBytes, 8192, 2 << 20)

interface Subject {
  readonly name: string
  /** Does the work once; answers what went wrong, if anything. */
  run(): string | undefined
}

interface Row {
  readonly file: string
  readonly subject: string
  readonly seconds: number
  /** Half the distance between the quartiles, relative to the median. */
  readonly spread: number
  readonly gigabytesPerSecond: number
  readonly mpps: number
}

/** Reads a whole capture, and copies it to `out` if that is given. */
function read(path: string, out?: string): string | undefined {
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
  return fault === undefined ? undefined : faultText(fault)
}

function shell(command: string): string | undefined {
  const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
  return status === 0 ? undefined : stderr
}

function subjects(pcap: string, pcapng: string): Subject[] {
  const all: Subject[] = [
    { name: 'pcap', run: () => read(pcap) },
    { name: 'pcapng', run: () => read(pcapng) },
    { name: 'copy', run: () => read(pcap, '/dev/null') },
    { name: 'cat', run: () => shell(`cat ${pcap} >/dev/null`) },
  ]
  if (shell('tcpdump --version') === undefined)
    all.push({ name: 'tcpdump', run: () => shell(`tcpdump -r ${pcap} -w /dev/null 2>/dev/null`) })
  return all
}

function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share
  const low = Math.floor(at)
  return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (at - low)
}

/** Runs all subjects in turns; the order turns round each time, so that none is always first. */
function measure(file: string, all: readonly Subject[], bytes: number, packets: number): Row[] {
  const seconds = new Map<string, number[]>(all.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const subject of round % 2 === 0 ? all : all.toReversed()) {
      const begin = performance.now()
      const wrong = subject.run()
      const taken = (performance.now() - begin) / 1e3
      if (wrong !== undefined) throw new Error(`${subject.name}: ${wrong}`)
      if (round > 0) seconds.get(subject.name)?.push(taken)
    }
  }
  return all.map(({ name }) => {
    const sorted = (seconds.get(name) ?? []).toSorted((a, b) => a - b)
    const median = quantile(sorted, 0.5)
    return {
      file,
      subject: name,
      seconds: median,
      spread: (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / median,
      gigabytesPerSecond: bytes / median / 1e9,
      mpps: packets / median / 1e6,
    }
  })
}

/** Synthesises a file of a specification, makes a pcapng of it, and measures. */
function benchFile(folder: string, name: string, specification: TraceSpecification): Row[] {
  const [pcap, pcapng] = [join(folder, `${name}.pcap`), join(folder, `${name}.pcapng`)]
  const { packets } = writePcap(pcap, specification)
  const wrong = read(pcap, pcapng)
  if (wrong !== undefined) throw new Error(wrong)
  const bytes = statSync(pcap).size
  const mean = (bytes - 24) / packets - 16
  const rows = measure(`${name}, mean ${mean.toFixed(0)} B`, subjects(pcap, pcapng), bytes, packets)
  rmSync(pcap)
  rmSync(pcapng)
  return rows
}

function print(rows: readonly Row[]): void {
  console.log(`\n${rows[0].file}: medians of ${rounds} rounds`)
  console.log('          GB/s    Mpps  spread  time against cat')
  const cat = rows.find(({ subject }) => subject === 'cat')?.seconds ?? NaN
  for (const row of rows) {
    const cells = [
      row.subject.padEnd(8),
      row.gigabytesPerSecond.toFixed(2).padStart(6),
      row.mpps.toFixed(1).padStart(7),
      `±${(row.spread * 100).toFixed(1)}%`.padStart(7),
      `${(row.seconds / cat).toFixed(2)}×`.padStart(7),
    ]
    console.log(cells.join(' '))
  }
}

function main(): void {
  const folder = mkdtempSync(join(values.folder, 'hairpin-capture-path-'))
  const environment = { node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length }
  try {
    const small: TraceSpecification = {
      law: 'campus',
      packets: Math.ceil(fileBytes / 80),
      frameLimit: 64,
      frameMinimum: 64,
    }
    const large: TraceSpecification = { law: 'web-search', packets: Math.ceil(fileBytes / 850), up: 0.1 }
    const results = [benchFile(folder, 'small', small), benchFile(folder, 'large', large)]
    if (values.json) console.log(JSON.stringify({ environment, rounds, rows: results.flat() }))
    else {
      console.log(`${environment.cpu}, ${environment.cpus} CPUs, node ${environment.node}`)
      for (const rows of results) print(rows)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

main()
