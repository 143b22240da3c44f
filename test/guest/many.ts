/**
 * What tools/guest/many.ts runs inside the machine with eight CPUs: live runs on a card with an indirection table.
 *
 * The card hashes addresses and ports and has a table of 128 places; there are no rules. Traffic comes from the host,
 * which is asked for it over the other card.
 */

import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { deserialize } from 'node:v8'
import type { Compiled } from '../../src/compile.js'
import type { Replicable } from '../../src/engine/kernel/replicated.js'
import { kernelForm } from '../../src/engine/kernel/form.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { channels, driverName, scaling } from '../../src/sys/ethtool.js'
import { VerifierRejection } from '../../src/sys/program.js'
import { bypass } from './bypass.js'
import { check, equal } from './checks.js'
import { kernelWorkers } from './kernel-workers.js'
import { tableSteering } from './table.js'
import { userWorkers } from './user-workers.js'

export interface Subject extends Replicable {
  readonly artifact: Compiled['artifact']
  readonly program: Compiled['program']
  readonly kernel: Compiled['kernel']
  readonly rules?: Uint8Array
}

export type Subjects = ReadonlyMap<string, Subject>

const parts: Readonly<Record<string, (subjects: Subjects) => Promise<void>>> = {
  'kernel-workers': kernelWorkers,
  'user-workers': userWorkers,
  table: tableSteering,
  bypass,
}

const subjects: Subjects = new Map(
  (deserialize(readFileSync('programs.bin')) as { name: string; subject: Subject }[]).map(
    ({ name, subject }) => [name, subject],
  ),
)
/** Lines of a verifier's log that are shown. */
const lastLines = 60

const form = kernelForm()
console.log(`Linux ${release()}: instruction set ${form.cpu}, loops ${form.loops}`)
equal(onlineCpus().length, 8, 'CPUs')
equal([driverName('eth0'), channels('eth0')?.combined], ['virtio_net', 8], 'the card and its queues')
const table = scaling('eth0')?.indirection ?? []
check(new Set(table).size === 8, 'its table has all queues', `${table.length} places`)

for (const part of readFileSync('parts', 'utf8').trim().split(' ')) {
  const began = performance.now()
  console.log(`# ${part}`)
  try {
    await parts[part](subjects)
  } catch (error) {
    check(false, part, error instanceof Error ? (error.stack ?? error.message) : String(error))
    if (error instanceof VerifierRejection) console.log(error.log.split('\n').slice(-lastLines).join('\n'))
  }
  console.log(`# ${part}: ${((performance.now() - began) / 1000).toFixed(0)} s`)
}
process.exit()
