/**
 * `npm run guest`: our programs on an old kernel, Linux 6.1 of Debian 12, in an emulated machine.
 *
 *     npm run guest                         the newest 6.1 that apt offers, downloaded into dist/guest
 *     npm run guest -- --kernel FILE        another kernel image; its modules are not needed
 *     npm run guest -- port-knocking        these programs only
 *     sudo npm run guest -- --suite many    eight CPUs and a network card of eight queues; all of it, or parts by name
 *     sudo npm run guest -- --suite many --kernel FILE --modules DIR
 *
 * What comes before 6.9 has no may_goto, before 6.6 no signed division: there the loops are bounded and the instruction
 * set older. Suite `programs` (the default) loads every program, runs it on the first packets of the bundled capture
 * beside the interpreter, and attaches it to the loopback device (test/guest/inside.ts). Suite `many` has live runs on a
 * card that spreads its packets by a hash and an indirection table (test/guest/many.ts); what sends to it is in a network
 * namespace of its own. Nothing of this machine is changed but dist/guest, and nothing stays, after Ctrl-C neither.
 * Two of them at a time in one checkout would write into the same folder.
 *
 * Needs qemu-system-x86, busybox-static and cpio (apt-get install), no virtualisation; `many` needs root and iproute2 as
 * well. 40 seconds to two minutes on two CPUs for `programs`, two to five for `many`. Exit status: 0 all is as it should
 * be, 1 something failed, 2 something is missing.
 */

import { mkdirSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { debianKernel, kernelAt } from './guest/kernel.js'
import type { Kernel } from './guest/kernel.js'
import { runMany } from './guest/many.js'
import { folder, missing } from './guest/needs.js'
import { runPrograms } from './guest/programs.js'

const suites = { programs: runPrograms, many: runMany }

mkdirSync(folder, { recursive: true })
const { values, positionals } = parseArgs({
  options: {
    kernel: { type: 'string' },
    modules: { type: 'string' },
    suite: { type: 'string', default: 'programs' },
  },
  allowPositionals: true,
})
if (!Object.hasOwn(suites, values.suite))
  missing(`no suite ${values.suite}; there are ${Object.keys(suites).join(' and ')}`)
const kernel = (): Kernel => {
  const found = values.kernel === undefined ? debianKernel() : kernelAt(values.kernel, values.modules)
  console.log(`guest: ${basename(found.image)}`)
  return found
}
// The machine dies with this process (machine.ts), and the network with both.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))
process.exitCode = await suites[values.suite as keyof typeof suites](kernel, positionals)
