// The only module that touches the `typescript` package. It is loaded on first use: running a cached program never
// pays the 400 ms of its import.
//
// `ts` is undefined until `loadTypeScript` has run; code in lang/ that handles syntax runs after compileSource has
// called it. Other modules import `ts` and its types (`Ts`) from here.

import { createRequire } from 'node:module'
import type TypeScript from 'typescript'

export type { TypeScript as Ts }
export let ts: typeof TypeScript

/** Imports the package if that has not happened yet. */
export function loadTypeScript(): typeof TypeScript {
  ts ??= createRequire(import.meta.url)('typescript') as typeof TypeScript
  return ts
}
