// The backends that run the language's operator table. A new backend joins by adding a row to `runners`.

import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import { renderDiagnostics } from '../../src/diagnostics/render.js'
import { PacketStore, storeSource } from '../../src/engine/packets.js'
import { plan } from '../../src/engine/plan.js'
import { start } from '../../src/engine/run.js'
import { Serial } from '../../src/engine/serial.js'
import { single } from '../../src/strategy/single.js'
import { KernelMachine, withoutPrograms } from '../kernel/machine.js'

export interface Runner {
  readonly name: string
  /** Processes the packets in order from a fresh state; gives the first `count` u64 of the array `results`. */
  readonly run: (compiled: Compiled, packets: readonly Uint8Array[], count: number) => Promise<bigint[]>
}

/** Compiles a program that must have no diagnostics. */
export function compiled(text: string): Compiled {
  const { compiled: done, diagnostics } = compile('row.ts', text)
  if (!done) throw new Error(`${text}\n${renderDiagnostics(diagnostics, text)}`)
  return done
}

/** The u64 values of the array `results` in a state block. */
function results(c: Compiled, bytes: Uint8Array, block: number, count: number): bigint[] {
  const { offset } = c.artifact.stateLayout.objects.find(o => o.name === 'results')!
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return Array.from({ length: count }, (_, k) => view.getBigUint64(block + offset + 8 * k, true))
}

const everywhere: readonly Runner[] = [
  {
    name: 'interpreter',
    async run(c, packets, count) {
      const { stateLayout, rulesLayout } = c.artifact
      const machine = new Serial(c.program, { stateLayout, rulesLayout, seed: 1n })
      packets.forEach((bytes, k) => {
        const sequence = BigInt(k + 1)
        machine.process({
          bytes: bytes.slice(),
          originalLength: bytes.length,
          timestamp: 0n,
          sequence,
          device: 0,
        })
      })
      return results(c, machine.memory.bytes, 0, count)
    },
  },
  {
    name: 'wasm',
    async run(c, packets, count) {
      const store = new PacketStore('rows')
      for (const bytes of packets) store.add(bytes, bytes.length, 0n, 0)
      const planned = plan(c.artifact, { strategy: single, cores: 1, slabPackets: 64, slabDataBytes: 4096 })
      if ('error' in planned) throw new Error(planned.error)
      const { memory } = await start(c.artifact, planned, single, { open: storeSource(store) })
      return results(c, new Uint8Array(memory.buffer), planned.map.state[0], count)
    },
  },
]

const inTheKernel: readonly Runner[] = [
  {
    name: 'ebpf',
    async run(c, packets, count) {
      const machine = new KernelMachine(c, { seed: 1n })
      try {
        packets.forEach((bytes, k) => {
          const sequence = BigInt(k + 1)
          machine.process({ bytes, originalLength: bytes.length, timestamp: 0n, sequence, device: 0 })
        })
        return results(c, machine.state(), 0, count)
      } finally {
        machine.close()
      }
    },
  },
]

/** The kernel's is missing where kernel tests are skipped, which test/kernel reports. */
export const runners: readonly Runner[] = withoutPrograms ? everywhere : [...everywhere, ...inTheKernel]
