// What a function asks for besides its packet's bytes.

import type { Func } from './types.js'

/** Whether a function reads an input of this name itself, not what it calls. */
export const readsInput = ({ blocks }: Func, name: string): boolean =>
  blocks.some(b => b.instrs.some(i => i.op === 'input' && i.attrs.name === name))
