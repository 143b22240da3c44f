// The only module that touches the `typescript` package. It is loaded on first use: running a cached program never
// pays the 200 ms of its import.
//
// `ts` is undefined until `loadTypeScript` has run; code in lang/ that handles syntax runs after compileSource has
// called it. Other modules import `ts` and its types (`Ts`) from here.

import { createRequire } from 'node:module'
import type TypeScript from 'typescript'
import { builtCode } from './built-code.js'
import { hasCode, loadWithCode } from './code-cache.js'
import type { Loaded } from './code-cache.js'

export type { TypeScript as Ts }
export let ts: typeof TypeScript
let loaded: Loaded | undefined

/**
 * Imports the package if that has not happened yet. Compiled code is taken from the folder (code-cache.ts), or from what
 * the build has left: the import then takes a third of the time, and the first check half.
 */
export function loadTypeScript(codeFolder?: string): typeof TypeScript {
  if (ts) return ts
  const require = createRequire(import.meta.url)
  const path = require.resolve('typescript')
  if (codeFolder === undefined && !hasCode(path, builtCode)) ts = require('typescript') as typeof TypeScript
  else {
    loaded = loadWithCode(path, codeFolder, builtCode)
    ts = loaded.exports as typeof TypeScript
  }
  return ts
}

/** Leaves the package's compiled code in the folder for later processes, if none was there. After a compile it has more. */
export function keepTypeScriptCode(): void {
  loaded?.keep()
  loaded = undefined
}
