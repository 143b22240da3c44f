// A kernel for unit tests: it answers with what the test prepared, and remembers what it was asked.
//
// Every call that a test did not prepare throws, so that no unit test reaches the real kernel. Addresses are made up;
// `at` gives the bytes behind one, as the kernel would see them.

import { command } from './bpf.js'
import type { Command } from './bpf.js'
import { replaceKernel } from './kernel.js'
import type { Bytes, Kernel } from './kernel.js'

/** Answers a call of bpf(2); may write to the attributes and to what they point to. */
export type BpfAnswer = (attributes: DataView, fake: FakeKernel) => number

export class FakeKernel {
  /** Calls so far: `MAP_CREATE` and such for bpf(2), the function's name for others. */
  readonly calls: string[] = []
  readonly #memory = new Map<bigint, Bytes>()
  #next = 0x1000n

  /** Memory behind an address that was given out. */
  at(address: bigint): Bytes {
    const bytes = this.#memory.get(address)
    if (bytes === undefined) throw new Error(`nothing lies at address ${address}`)
    return bytes
  }

  /** Text behind an address, up to its zero byte. */
  text(address: bigint): string {
    return Buffer.from(this.at(address)).toString().replace(/\0.*$/s, '')
  }

  address(bytes: ArrayBufferView | ArrayBuffer): bigint {
    const view = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes)
    const address = this.#next
    this.#next += 0x1000n
    this.#memory.set(address, view)
    return address
  }
}

/**
 * Runs a test with a kernel of which `bpf` answers by command and `other` has the remaining calls. Everything that is
 * asked is in `fake.calls`.
 */
export function withFakeKernel(
  prepared: { readonly bpf?: Partial<Record<Command, BpfAnswer>>; readonly other?: Partial<Kernel> },
  body: (fake: FakeKernel) => void,
): void {
  const fake = new FakeKernel()
  const names = Object.keys(command) as Command[]
  const own: Partial<Kernel> = {
    bpf(number, attributes) {
      const name = names.find(n => command[n] === number)!
      fake.calls.push(name)
      const answer = prepared.bpf?.[name]
      if (answer === undefined) throw new Error(`the test did not prepare bpf(${name})`)
      return answer(new DataView(attributes.buffer, attributes.byteOffset, attributes.length), fake)
    },
    address: bytes => fake.address(bytes),
    close: () => 0,
    ...prepared.other,
  }
  const kernel = new Proxy(own, {
    get(target, name: string) {
      const found = target[name as keyof Kernel]
      if (found === undefined) throw new Error(`the test did not prepare ${name}`)
      if (name === 'bpf' || name === 'address') return found
      return (...args: unknown[]) => {
        fake.calls.push(name)
        return (found as (...args: unknown[]) => unknown)(...args)
      }
    },
  }) as Kernel
  const restore = replaceKernel(kernel)
  try {
    body(fake)
  } finally {
    restore()
  }
}
