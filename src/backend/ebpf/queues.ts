// Into the queue of a CPU: the end of every program that sprays or steers packets over workers.
//
// A CPU is one entry of a CPU map, so several workers of one CPU are in several maps, the layers. Read target.ts first.

import { call, exit, jne, label, ldMap, mov64, r1, r3, r4 } from './asm.js'
import type { Code } from './asm.js'
import { verdictNames } from './entry.js'
import { sprayMap } from './sequencer-map.js'

const drop = verdictNames.indexOf('drop')

/** Puts the packet into the queue of CPU r2, in layer r4 of so many, and returns; r4 is not looked at if there is one. */
export const intoQueue = (layers: number): Code =>
  Array.from({ length: layers }, (_, layer): Code => {
    const next = label(`entry.layer${layer + 1}`)
    const into = [ldMap(r1, sprayMap(layer)), mov64.imm(r3, drop), call('redirect_map'), exit()]
    return layer < layers - 1 ? [jne.imm(r4, layer, next), ...into, next] : into
  }).flat()
