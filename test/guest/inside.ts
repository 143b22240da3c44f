/**
 * What tools/guest.ts runs inside the machine with the old kernel: every program is loaded, runs beside the interpreter,
 * and is attached. The programs were compiled outside, because emulated compiling takes minutes.
 */

import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { deserialize } from 'node:v8'
import type { Compiled } from '../../src/compile.js'
import { openCapture } from '../../src/device/capture.js'
import { kernelForm } from '../../src/engine/kernel/form.js'
import { load } from '../../src/engine/kernel/load.js'
import { PacketStore, loadPackets } from '../../src/engine/packets.js'
import { VerifierRejection } from '../../src/sys/program.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { agree } from '../kernel/agree.js'

interface Given {
  readonly name: string
  readonly subject: Compiled & { readonly rules?: Uint8Array }
}

const packets = 300
const seed = 1n
/** Lines of a verifier's log that are shown. */
const lastLines = 40

function firstPackets(): PacketStore {
  const all = loadPackets((memory, workspace) => openCapture('knocking.pcap', { memory, workspace }))
  const store = new PacketStore('knocking.pcap')
  for (let k = 0; k < Math.min(packets, all.count); k++) {
    const { bytes, originalLength, timestamp, device } = all.packet(k)
    store.add(bytes, originalLength, timestamp, device)
  }
  return store
}

const form = kernelForm()
console.log(`Linux ${release()}: instruction set ${form.cpu}, loops ${form.loops}`)
const store = firstPackets()
for (const { name, subject } of deserialize(readFileSync('programs.bin')) as Given[])
  try {
    const { verified } = agree(subject, store, seed, form)
    const loaded = load(subject, {
      settings: new Map(),
      seed,
      ...(subject.rules && { rules: subject.rules }),
    })
    const attachment = attachXdp(loaded.program, 'lo', 'generic')
    attachment.detach()
    loaded.close()
    console.log(`ok ${name}: ${store.count} packets, ${verified} instructions verified, attached`)
  } catch (error) {
    process.exitCode = 1
    console.log(`not ok ${name}: ${error instanceof Error ? error.message.slice(0, 600) : String(error)}`)
    if (error instanceof VerifierRejection) console.log(error.log.split('\n').slice(-lastLines).join('\n'))
  }
