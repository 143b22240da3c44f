// Where the build leaves V8's compiled code of TypeScript and of our own script (tools/code.ts), for machines on which no
// command has kept any yet, and for other tools that import the compiler. Made by this very build on this very machine,
// or not there: an installed package has none.

import { fileURLToPath } from 'node:url'

/** The folder, beside the one of modules. */
export const builtCode = fileURLToPath(new URL('../../code', import.meta.url))
