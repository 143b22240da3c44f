/** A random source program in the kernel: its verifier accepts it, and it does what the interpreter does. */

import { AssertionError } from 'node:assert/strict'
import { inFormThatFits, newest } from '../../src/engine/kernel/form.js'
import { VerifierRejection } from '../../src/sys/program.js'
import { drawnOptions } from '../property/case.js'
import type { Examined, Runner } from '../property/case.js'
import { storeOf } from '../property/traffic.js'
import { agree } from './agree.js'
import { StackRefusal } from './machine.js'

/** The kind of a failure where the verifier gave up after a million instructions: its limit, and none of ours. */
export const tooLarge = 'the verifier gave up: the program is too large'

/** Nothing about strategies: there is one way to run a program here. */
const ways = { strategies: [], cores: [] }

/** Runs a compiled case through kernel and interpreter. A program that needs more stack than there is, is refused. */
export const inKernel: Runner = async (compiled, seed, packets): Promise<Examined> => {
  const options = drawnOptions(compiled, seed, packets)
  try {
    inFormThatFits(newest, ({ forgets = false }) =>
      agree({ ...compiled, ...options }, storeOf(packets), BigInt(seed), { forgets }),
    )
    return { ran: [] }
  } catch (error) {
    if (error instanceof StackRefusal) return { ran: [], refused: error.message }
    if (error instanceof VerifierRejection) {
      if (/BPF program is too large\. Processed/.test(error.log))
        return { ran: [], failure: { kind: tooLarge, what: tooLarge, ways } }
      const lines = error.log.trim().split('\n')
      const telling = lines.findLast(line => !/^(processed|verification time|stack depth|$)/.test(line)) ?? ''
      const kind = `refused by the verifier: ${telling.replace(/\d+/g, '#').slice(0, 60)}`
      return { ran: [], failure: { kind, what: `${kind}\n${lines.slice(-40).join('\n')}`, ways } }
    }
    if (error instanceof AssertionError)
      return {
        ran: [],
        failure: {
          kind: `the kernel differs: ${error.message.split('\n')[0].replace(/\d+/g, '#').slice(0, 40)}`,
          what: error.message,
          ways,
        },
      }
    throw error
  }
}
