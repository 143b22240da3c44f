/**
 * V8's code between JavaScript and WebAssembly, for measurements.
 *
 * A function of a module is called through code that suits all until it has been called a thousand times, and then, in the
 * middle of a call, its own is compiled: 0.2 ms. Fourteen workers that share a thread come to that with 72 slabs, and the one
 * whose call it is would look a third slower than the others in a run of 100,000 packets.
 */

import { setFlagsFromString } from 'node:v8'

/** Modules that are instantiated from now on in this process have the code from the beginning. */
export const compileCallsAtOnce = (): void => setFlagsFromString('--no-wasm-generic-wrapper')
