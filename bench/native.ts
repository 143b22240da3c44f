/**
 * The C side of a comparison: a baseline process that keeps packets and state in its own memory and runs a round when
 * told to. bench/baseline/harness.h has the other half and the formats.
 */

import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buildBaseline } from './baseline/build.js'
import type { Prepared } from './prepared.js'

export interface Contestant {
  /** Runs once over all packets; nanoseconds of the program's loop alone. */
  readonly round: () => Promise<number> | number
  /** The least nanoseconds that each batch took in any round, summed: what others on the machine disturb least. */
  readonly least: () => Promise<number> | number
  /** Counters (u64 each), verdicts (u32 each), state block and packet data, as they are now. */
  readonly dump: () => Promise<Uint8Array> | Uint8Array
  readonly close: () => void
}

/** Starts the baseline of a program on prepared packets and state. `folder` is for files. */
export function startNative(
  name: string,
  prepared: Prepared,
  folder: string,
  flags?: readonly string[],
): Contestant {
  const executable = buildBaseline(name, flags)
  const { packets, settings, counters, state, rules, rewrites } = prepared
  const path = (part: string): string => join(folder, `${name}.${part}`)
  const header = new DataView(new ArrayBuffer(16))
  header.setUint32(0, packets.count, true)
  header.setUint32(4, packets.data.length, true)
  header.setBigUint64(8, packets.span, true)
  writeFileSync(path('trace'), header)
  writeFileSync(path('trace'), packets.descriptors, { flag: 'a' })
  writeFileSync(path('trace'), packets.data, { flag: 'a' })
  writeFileSync(path('state'), state)
  writeFileSync(path('rules'), rules)
  const words = [settings.join(), String(counters), rewrites ? '1' : '0']
  const child = spawn(executable, [path('trace'), path('state'), path('rules'), ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ask = async (command: string): Promise<string> => {
    child.stdin.write(`${command}\n`)
    const { value, done } = await lines.next()
    if (done) throw new Error(`the baseline of ${name} ended`)
    return String(value)
  }
  return {
    round: async () => Number(await ask('round')),
    least: async () => Number(await ask('least')),
    dump: async () => {
      await ask(`dump ${path('dump')}`)
      return readFileSync(path('dump'))
    },
    close: () => child.stdin.end(),
  }
}
