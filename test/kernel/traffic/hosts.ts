/** Hosts of a lab that tests talk through, and programs on its devices. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Compiled } from '../../../src/compile.js'
import { figuresOf } from '../../../src/engine/kernel/figures.js'
import { load } from '../../../src/engine/kernel/load.js'
import type { LoadedProgram } from '../../../src/engine/kernel/load.js'
import type { Lab } from '../../../src/lab/lab.js'
import { possibleCpus } from '../../../src/sys/cpus.js'
import { attachXdp } from '../../../src/sys/xdp.js'
import { builtFile } from '../../../tools/sources.js'
import type { Commands } from './host.js'

/** A process in a namespace (host.ts). */
export class Host {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (e: Error) => void }>()
  #next = 0

  constructor(lab: Lab, namespace: string) {
    const script = `import(${JSON.stringify(builtFile('test/kernel/traffic/host.ts'))}).then(m => m.serve())`
    this.#child = lab.inNamespace(namespace, () =>
      spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] }),
    )
    createInterface({ input: this.#child.stdout! }).on('line', line => {
      const { id, result, error } = JSON.parse(line) as { id: number; result: unknown; error?: string }
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(result)
      else waiting?.reject(new Error(error))
    })
    this.#child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the host has ended'))
    })
  }

  call<C extends keyof Commands>(
    command: C,
    ...[argument]: Parameters<Commands[C]>
  ): Promise<Awaited<ReturnType<Commands[C]>>> {
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#child.stdin!.write(`${JSON.stringify({ id, command, argument })}\n`)
    })
  }

  end(): void {
    this.#child.stdin!.end()
  }
}

/** A place in a lab where programs can be. */
export interface Place {
  readonly namespace: string
  readonly device: string
}

/** A program on devices of a lab, natively. */
export class OnDevice {
  readonly loaded: LoadedProgram
  readonly #names: readonly string[]
  readonly #detach: readonly (() => void)[]

  constructor(
    lab: Lab,
    places: readonly Place[],
    subject: Compiled & { readonly rules?: Uint8Array },
    settings: Readonly<Record<string, bigint>> = {},
  ) {
    this.#names = subject.artifact.counters.map(c => c.name)
    const { rules } = subject
    this.loaded = load(subject, {
      settings: new Map(Object.entries(settings)),
      seed: 1n,
      ...(rules && { rules }),
    })
    this.#detach = places.map(({ namespace, device }) =>
      lab.inNamespace(namespace, () => {
        const attachment = attachXdp(this.loaded.program, device, 'native')
        return () => lab.inNamespace(namespace, () => attachment.detach())
      }),
    )
  }

  /** Verdicts and counters that are not 0. */
  figures(): { readonly packets: number; readonly [name: string]: number } {
    const key = new Uint8Array(new ArrayBuffer(4))
    const found = figuresOf(map => this.loaded.maps.get(map)?.lookup(key), this.#names, possibleCpus())
    const all = [...found.verdicts, ...found.counters].filter(([, n]) => n > 0n)
    return { packets: Number(found.packets), ...Object.fromEntries(all.map(([k, n]) => [k, Number(n)])) }
  }

  /** The bytes of a state object. */
  state(name: string): DataView {
    const bytes = this.loaded.maps.get(name)!.lookup(new Uint8Array(new ArrayBuffer(4)))!
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** Takes it off; harmless when repeated. */
  close(): void {
    for (const detach of this.#detach) detach()
    this.loaded.close()
  }
}
